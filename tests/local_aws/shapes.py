"""Holds every answer of EMR against AWS's own model of it: strict clients fail on what a lenient one does not see."""

import json


def check_answer(response_dict, operation_model, **_):
    if response_dict["status_code"] == 200:
        check(operation_model.output_shape, json.loads(response_dict["body"] or b"{}"), operation_model.name)


def check(shape, value, where: str) -> None:
    if shape is None:
        assert value == {}, f"{where} should be empty: {value}"
    elif shape.type_name == "structure":
        assert isinstance(value, dict), where
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{where} has members that AWS does not have: {unknown}"
        for name, member in value.items():
            check(shape.members[name], member, f"{where}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), where
        for number, member in enumerate(value):
            check(shape.member, member, f"{where}[{number}]")
    elif shape.type_name == "map":
        assert isinstance(value, dict), where
    elif shape.type_name == "string":
        assert isinstance(value, str), f"{where} is no string: {value!r}"
        if shape.enum:
            assert value in shape.enum, f"{where} is not one of {shape.enum}: {value}"
    elif shape.type_name == "boolean":
        assert isinstance(value, bool), f"{where} is no boolean: {value!r}"
    else:
        assert isinstance(value, (int, float)) and not isinstance(value, bool), f"{where} is no number: {value!r}"
