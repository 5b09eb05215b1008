"""The conformance suite can fail: each fault that is planted in a right server breaks the check that is for it."""

import pytest
from conformance._model import Target
from conformance._run import Result, failed, run, table
from fake_server import GRPC_FAULTS, HTTP_FAULTS, Fake


def results(fault: str, *, with_http: bool = True, with_grpc: bool = True) -> dict[str, Result]:
    fake = Fake(fault)
    try:
        target = Target(fake.http if with_http else "", fake.grpc if with_grpc else "", "fake")
        return {each.check.name: each for each in run(target)}
    finally:
        fake.close()


@pytest.fixture(scope="module")
def right() -> dict[str, Result]:
    return results("")


def test_a_right_server_keeps_everything(right: dict[str, Result]) -> None:
    told = table(list(right.values()))
    assert {each.state for each in right.values()} == {"kept"}, told
    assert not failed(list(right.values()))


@pytest.mark.parametrize("fault", HTTP_FAULTS)
def test_a_fault_over_http_is_seen_by_the_check_that_is_for_it(fault: str) -> None:
    found = results(fault, with_grpc=False)
    seen = found[HTTP_FAULTS[fault]]
    assert seen.state == "broken", f"{seen}\n{table(list(found.values()))}"
    assert failed(list(found.values()))


@pytest.mark.parametrize("fault", GRPC_FAULTS)
def test_a_fault_over_grpc_is_seen_by_the_check_that_is_for_it(fault: str) -> None:
    found = results(fault)
    seen = found[GRPC_FAULTS[fault]]
    assert seen.state == "broken", f"{seen}\n{table(list(found.values()))}"
    assert failed(list(found.values()))


def test_no_check_is_without_a_fault_that_breaks_it(right: dict[str, Result]) -> None:
    broken = {*HTTP_FAULTS.values(), *GRPC_FAULTS.values()}
    # What any server breaks that does not answer at all, or that only other checks need.
    plain = {
        "http.live_is_200",
        "http.ready_is_200",
        "http.health_bodies_are_json",
        "http.model_ready_is_200",
        "http.metadata_of_an_unknown_model_is_an_error",
        "http.an_answer_has_its_members",
        "http.the_server_answers_after_wrong_requests",
        "http.what_is_not_there_is_404",
        "grpc.the_server_is_live_and_ready",
        "grpc.metadata_have_their_fields",
        "grpc.an_unknown_model_is_not_found",
        "grpc.compressed_messages_are_read",
        "grpc.the_configuration_fits_the_metadata",
    }
    assert set(right) - broken == plain
