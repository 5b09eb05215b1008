"""A conformance suite for servers of the Open Inference Protocol, whoever wrote them; see `__main__`."""
