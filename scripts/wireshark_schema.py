#!/usr/bin/env python3
"""Writes the schema of all messages into docs/wireshark.lua, between its two marks.

    scripts/wireshark_schema.py [--check]

--check changes nothing; the exit status is 1 if the file is not up to date. The schema is what
protoc makes of common/wire/*.proto. The dissector has it as text, one line for each field:
"number name type", with "*" behind the type where it is repeated.
"""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "docs" / "wireshark.lua"
FILES = ("common/wire/values.proto", "common/wire/messages.proto")
BEGIN = "-- Schema: made by scripts/wireshark_schema.py\n"
END = "-- End of the schema\n"
WIDTH = 118

# descriptor.proto of protobuf: the fields that are read here, and FieldDescriptorProto.Type.
FILE_MESSAGES, FILE_ENUMS = 4, 5
MESSAGE_NAME, MESSAGE_FIELDS = 1, 2
FIELD_NAME, FIELD_NUMBER, FIELD_LABEL, FIELD_TYPE, FIELD_TYPE_NAME = 1, 3, 4, 5, 6
ENUM_NAME, ENUM_VALUES, VALUE_NAME, VALUE_NUMBER = 1, 2, 1, 2
LABEL_REPEATED = 3
TYPES = {4: "uint64", 6: "fixed64", 7: "fixed32", 8: "bool", 9: "string", 12: "bytes"}
TYPES |= {13: "uint32", 18: "sint64"}
TYPE_MESSAGE, TYPE_ENUM = 11, 14


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """The fields of one encoded message: {number: [value, ...]}, values as numbers or bytes."""
    found = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, at = varint(data, at)
        elif wire_type == 2:
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"a descriptor with wire type {wire_type}")
        found.setdefault(number, []).append(value)
    return found


def descriptors():
    """What protoc knows of the files, one encoded FileDescriptorProto each."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "schema"
        command = ["protoc", f"--descriptor_set_out={out}", "-I", str(ROOT), *FILES]
        subprocess.run(command, check=True, cwd=ROOT)
        return [fields(file) for file in fields(out.read_bytes())[1]]


def type_of(field):
    number = field[FIELD_TYPE][0]
    if number in (TYPE_MESSAGE, TYPE_ENUM):
        return field[FIELD_TYPE_NAME][0].decode().rsplit(".", 1)[1]
    return TYPES[number]


def schema():
    """({message: [(number, name, type, repeated)]}, {enum: [(number, name)]})"""
    messages, enums = {}, {}
    for file in descriptors():
        for enum in map(fields, file.get(FILE_ENUMS, [])):
            values = map(fields, enum[ENUM_VALUES])
            enums[enum[ENUM_NAME][0].decode()] = [
                (value.get(VALUE_NUMBER, [0])[0], value[VALUE_NAME][0].decode()) for value in values
            ]
        for message in map(fields, file.get(FILE_MESSAGES, [])):
            messages[message[MESSAGE_NAME][0].decode()] = [
                (
                    field[FIELD_NUMBER][0],
                    field[FIELD_NAME][0].decode(),
                    type_of(field),
                    field[FIELD_LABEL][0] == LABEL_REPEATED,
                )
                for field in map(fields, message.get(MESSAGE_FIELDS, []))
            ]
    return messages, enums


def entry(name, words):
    """One entry of a Lua table: its text in as many lines as it takes."""
    lines, line = [], f"    {name} = [["
    for word in words:
        piece = word if line.endswith("[[") else ", " + word
        if len(line) + len(piece) > WIDTH:
            lines.append(line + ",")
            line, piece = " " * 8, word
        line += piece
    return "\n".join([*lines, line + "]],\n"])


def block():
    messages, enums = schema()
    text = "local MESSAGES = {\n"
    for name, found in messages.items():
        words = [f"{n} {field} {kind}{'*' if many else ''}" for n, field, kind, many in found]
        text += entry(name, words)
    text += "}\nlocal ENUMS = {\n"
    for name, values in enums.items():
        text += entry(name, [f"{number} {value}" for number, value in values])
    return text + "}\n"


def main():
    before = SCRIPT.read_text()
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    after = head + BEGIN + block() + END + tail
    if "--check" in sys.argv[1:]:
        if after != before:
            print(f"{SCRIPT.relative_to(ROOT)} is not up to date: run {sys.argv[0]}")
        return int(after != before)
    SCRIPT.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
