"""Prints the sample in Kotlin of docs/MOBILE.md."""

import pathlib

PAGE = pathlib.Path(__file__).parents[2] / "docs/MOBILE.md"


def main():
    before, found, behind = PAGE.read_text().partition("```kotlin\n")
    assert found and "```kotlin\n" not in behind, f"{PAGE.name} has one sample in Kotlin"
    print(behind.partition("```")[0], end="")


if __name__ == "__main__":
    main()
