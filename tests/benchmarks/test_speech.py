"""What is timed is a sentence of 60 characters, another one for each call."""

from benchmarks.speech import ENGLISH, SWEDISH, sentence


def test_sentences_have_sixty_characters_and_differ() -> None:
    for language, text in (("en_US", ENGLISH), ("sv_SE", SWEDISH)):
        first, second = sentence(language, text, 1), sentence(language, text, 4321)
        assert len(first.partition("/")[2]) == len(second.partition("/")[2]) == 60
        assert first != second
