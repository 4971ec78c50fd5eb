"""Elements and their builder: lower case, texts put together, each limit at its edge."""

import pytest

from offhook.flow.dialects.didml_tree import MAX_WARNINGS, Element, TreeBuilder, Warnings
from offhook.flow.errors import NestingTooDeep, TooManyAttributes, TooManyElements, WrongRoot
from offhook.flow.limits import MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS


def builder() -> TreeBuilder:
    return TreeBuilder(Warnings())


def test_names_are_in_lower_case_and_texts_in_one_piece() -> None:
    tree = builder()
    tree.open("RESPONSE", [], 1)
    tree.text("a")
    tree.text(" b\n")
    tree.open("Say", [("Language", "EN")], 2)
    tree.text("x")
    tree.close()
    tree.text("c")
    assert tree.root is None
    tree.close()
    said = Element(name="say", attributes={"language": "EN"}, content=("x",), line=2)
    assert tree.root == Element(name="response", content=("a b\n", said, "c"))
    assert (tree.root.text, tree.root.all_text, tree.root.children) == ("a b c", "a b xc", (said,))


def test_texts_outside_the_root_are_dropped() -> None:
    tree = builder()
    tree.text("before")
    tree.open("Response", [], 1)
    tree.close()
    tree.text("after")
    assert tree.root == Element(name="response")


def test_the_first_of_two_attributes_counts() -> None:
    warnings = Warnings()
    tree = TreeBuilder(warnings)
    tree.open("Response", [("Timeout", "1"), ("timeout", "1")], 7)
    tree.close()
    assert tree.root is not None
    assert dict(tree.root.attributes) == {"timeout": "1"}
    assert warnings.all() == ("Line 7: <Response> has `timeout` twice; the first counts.",)


def test_another_root_is_refused() -> None:
    with pytest.raises(WrongRoot, match="<Response>, and <html> was found"):
        builder().open("html", [], 1)


def test_elements_may_be_nested_up_to_the_limit() -> None:
    tree = builder()
    for _ in range(MAX_DEPTH):
        tree.open("Response", [], 1)
    with pytest.raises(NestingTooDeep):
        tree.open("say", [], 1)


def test_elements_are_counted() -> None:
    tree = builder()
    tree.open("Response", [], 1)
    for _ in range(MAX_ELEMENTS - 1):
        tree.open("hangup", [], 1)
        tree.close()
    with pytest.raises(TooManyElements, match=f"more than {MAX_ELEMENTS} elements"):
        tree.open("hangup", [], 1)


def test_attributes_are_counted() -> None:
    pairs = [(f"a{n}", "") for n in range(MAX_ATTRIBUTES + 1)]
    tree = builder()
    tree.open("Response", pairs[:-1], 1)
    with pytest.raises(TooManyAttributes, match=f"<say> has more than {MAX_ATTRIBUTES} attributes"):
        tree.open("say", pairs, 1)


def test_warnings_are_said_once_and_not_without_end() -> None:
    warnings = Warnings()
    warnings.add("a")
    warnings.add("a")
    assert warnings.all() == ("a",)
    others = Warnings()
    for number in range(MAX_WARNINGS + 5):
        others.add(str(number))
    warnings.take(others)
    assert warnings.all() == ("a", *(str(number) for number in range(MAX_WARNINGS - 1)))
