def test_our_ranker_gives_the_bits_that_training_gave(twinrank_parity, twinrank_bundle):
    requests = [b'{"context": {}, "candidates": []}', b"{"]
    proof = twinrank_parity(twinrank_bundle, "films", requests)
    assert proof.rows > 0
