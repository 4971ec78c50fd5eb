"""Fuzz target: any bytes at all are a flow that can be shown, kept, walked and told of, or a DocumentError.

Seeds: slips of the service's own samples, and XML made of the words of the language, with pieces cut out and put in.
"""

from fuzz.runner import run
from hypothesis import strategies as st
from tests.support.didml_documents import almost_documents, read_or_refuse, xml_documents

DOCUMENTS = st.one_of(st.binary(max_size=400), almost_documents(), xml_documents().map(str.encode))

if __name__ == "__main__":
    run("didml", DOCUMENTS, read_or_refuse)
