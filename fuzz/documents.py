"""Fuzz target, 46elks: any bytes at all are a flow that can be shown, kept, walked and told of, or a DocumentError.

Seeds: the documents of the conformance cases, and JSON made of the words of the language.
"""

import json

from fuzz.runner import run
from hypothesis import strategies as st
from tests.support.elks_documents import almost_documents, json_values, read_or_refuse

DOCUMENTS = st.one_of(
    st.binary(max_size=400),
    almost_documents(),
    json_values.map(lambda value: json.dumps(value).encode()),
)

if __name__ == "__main__":
    run("documents", DOCUMENTS, read_or_refuse)
