"""Property tests of the whole server against its own OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serve.models import Echo, Sums, service
from serve.serving import served

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


BEYOND = (" rows, and ", "922337203685477580")
"""No schema can say that all inputs have as many rows, and the generator takes bounds of 64 bits for floats."""
SETTINGS = settings(
    max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], database=None
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda each: each.value)
@pytest.mark.parametrize("model", [Sums, Echo], ids=["sums", "every dtype"])
def test_every_answer_is_as_the_document_says(model: type[Sums | Echo], mode: GenerationMode) -> None:
    """What fits the document is answered, what does not is refused, and nothing is an error of the server."""
    is_valid = mode is GenerationMode.POSITIVE

    def validated(case: Any) -> None:
        answer = case.call_and_validate(checks=CHECKS)
        if case.path == "/predict" and case.media_type == "application/json":
            beyond = any(words in answer.text for words in BEYOND)
            assert (answer.status_code == 200) == (is_valid and not beyond), answer.text

    with served(service(model())) as url:
        document = schemathesis.openapi.from_url(f"{url}/openapi.json")
        operations = [each.ok() for each in document.get_all_operations() if isinstance(each, Ok)]
        if not is_valid:  # what takes nothing cannot be given anything wrong
            operations = [each for each in operations if each.body or each.path_parameters]
        assert len(operations) > 6
        for operation in operations:
            SETTINGS(given(case=operation.as_strategy(generation_mode=mode))(validated))()
