"""What the API types look like on the wire."""

from perennial.api.deployment import Runtime


def test_no_empty_map_is_sent() -> None:
    assert "resources" not in Runtime().to_wire()
    assert "resources" not in Runtime.model_validate({"resources": {"requests": {}, "limits": {}}}).to_wire()
    assert Runtime.model_validate({"resources": {"requests": {"cpu": 1}}}).to_wire()["resources"] == {
        "requests": {"cpu": 1}
    }
