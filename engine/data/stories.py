"""The bundled text: tiny stories of animals and weather, written by a grammar of templates and word lists.

A story keeps its hero, place, weather and wish from the first sentence to the last, so there is something to learn
beyond spelling: who is who, that rain wets and frost freezes, that a question mark needs an answer.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

HEROES = (
    "fox",
    "hare",
    "hedgehog",
    "owl",
    "badger",
    "squirrel",
    "otter",
    "mouse",
    "crow",
    "frog",
    "goose",
    "cat",
    "lamb",
    "robin",
    "mole",
    "beaver",
    "duck",
    "donkey",
    "pony",
    "rabbit",
    "snail",
    "heron",
    "goat",
    "turtle",
    "sparrow",
)
LOOKS = (
    "small",
    "young",
    "grey",
    "brown",
    "old",
    "shy",
    "brave",
    "clever",
    "sleepy",
    "hungry",
    "curious",
    "quick",
    "gentle",
    "thin",
    "round",
    "proud",
    "quiet",
    "merry",
)
SHE = ("Tilly", "Anna", "Rose", "Mabel", "Hazel", "Nora", "Ivy", "Clara", "Ella", "Wren", "June", "Lily")
HE = ("Tom", "Oscar", "Finn", "Bruno", "Hugo", "Sam", "Otto", "Jasper", "Milo", "Ned", "Leo", "Barley")
HOMES = (
    "under the old bridge",
    "in a hollow tree",
    "behind the mill",
    "at the edge of the wood",
    "beside the pond",
    "near the stone wall",
    "on a little farm",
    "between the roots of an oak",
    "at the end of the lane",
    "in the long grass",
    "below the hill",
    "by the river",
    "in a corner of the barn",
    "close to the sea",
)
TIMES = (
    "One morning",
    "One evening",
    "Early one day",
    "Late in the autumn",
    "In the first week of spring",
    "At the end of summer",
    "One winter day",
    "Before sunrise",
    "After lunch",
    "On a Sunday",
    "Long ago",
)
PLACES = ("hill", "river", "meadow", "wood", "field", "village", "garden", "lake", "valley", "orchard", "shore", "lane")


@dataclass(frozen=True)
class Weather:
    begins: tuple[str, ...]  # what the sky does
    trouble: tuple[str, ...]  # what comes of it
    feels: tuple[str, ...]
    ends: tuple[str, ...]


WEATHERS = (
    Weather(
        ("rain fell on the {place}", "it rained and rained", "dark clouds hung over the {place}"),
        (
            "The path turned to mud.",
            "The water in the ditch rose higher and higher.",
            "Every leaf dripped.",
            "Soon the {place} was one big puddle.",
        ),
        ("wet", "cold and wet", "tired of the rain"),
        (
            "At last the rain stopped.",
            "The clouds opened and a rainbow stood over the {place}.",
            "Towards evening the last drops fell.",
        ),
    ),
    Weather(
        ("the wind blew over the {place}", "a storm came from the sea", "the wind shook all the trees"),
        (
            "A branch broke and fell across the path.",
            "The leaves flew about like birds.",
            "A gate banged, again and again.",
            "The wind took the hat of the farmer and did not bring it back.",
        ),
        ("cold", "a little afraid", "blown about"),
        (
            "Then the wind grew tired and lay down.",
            "In the night the storm went away.",
            "After an hour the air was still.",
        ),
    ),
    Weather(
        ("snow lay on the {place}", "it began to snow", "the frost had painted every window white"),
        (
            "The pond was frozen.",
            "There was nothing to eat but a few dry seeds.",
            "The snow was so deep that nobody could see the path.",
            "Even the well had a lid of ice.",
        ),
        ("cold", "cold and hungry", "stiff with frost"),
        (
            "In the morning the snow began to melt.",
            "Then the sun came out and the ice cracked.",
            "A warm wind came up and licked the snow away.",
        ),
    ),
    Weather(
        ("the sun burned on the {place}", "it was hot and dry", "there was not one cloud over the {place}"),
        (
            "The stream was only a thread of water.",
            "The grass turned yellow.",
            "Nobody wanted to run or to play.",
            "The stones were too hot to stand on.",
        ),
        ("thirsty", "hot and tired", "slow and sleepy"),
        (
            "At sunset a cool wind came.",
            "Then, far away, there was thunder, and the first drops fell.",
            "In the evening the shadows grew long and cool.",
        ),
    ),
    Weather(
        ("fog filled the {place}", "a white mist rose from the river", "the fog was as thick as wool"),
        (
            "Nobody could see the end of the path.",
            "Every tree looked like a stranger.",
            "The bell of the church sounded near and far at once.",
            "The {place} had quite disappeared.",
        ),
        ("lost", "alone", "not so sure of the way"),
        (
            "Slowly the fog lifted.",
            "Then a light shone through the mist.",
            "Around noon the sun ate the fog from the top down.",
        ),
    ),
)


@dataclass(frozen=True)
class Wish:
    wants: str  # "wanted to ..."
    tries: tuple[str, ...]
    done: tuple[str, ...]


WISHES = (
    Wish(
        "find something to eat",
        ("looked under the stones", "dug a hole beside the wall", "searched the ground under the apple tree"),
        ("there were nuts and berries for two", "they shared a red apple", "they found a whole basket of pears"),
    ),
    Wish(
        "cross the river",
        ("looked for a boat", "walked up and down the bank", "tried to jump from stone to stone"),
        (
            "an old log carried them both to the other side",
            "they found the bridge behind the willows",
            "they stood on the other bank and laughed",
        ),
    ),
    Wish(
        "build a house",
        ("carried sticks and straw", "gathered moss and mud", "counted the stones by the gate"),
        (
            "the little house had a roof and a door",
            "they sat in the new house and listened to the world outside",
            "there was a warm room, just big enough for two",
        ),
    ),
    Wish(
        "see the sea",
        ("climbed to the top of the tower", "asked the way at every corner", "followed the gulls"),
        (
            "there it was, blue and wide and full of light",
            "they put their feet into the waves",
            "they sat in the sand and said nothing for a long time",
        ),
    ),
    Wish(
        "learn to sing",
        ("took a deep breath and tried", "listened to the blackbird", "practised the same three notes"),
        (
            "the song was heard all over the {place}",
            "they sang together until the stars came out",
            "even the old dog sang with them",
        ),
    ),
    Wish(
        "sleep in a warm place",
        ("crept under a heap of leaves", "knocked at the door of the barn", "tried the empty nest"),
        (
            "they slept in the hay until noon",
            "there was a soft bed of wool beside the stove",
            "they lay close together and were warm",
        ),
    ),
    Wish(
        "go home",
        ("turned left and then left again", "looked for the two tall trees", "tried to remember the way"),
        (
            "there was the little door, and it stood open",
            "mother was waiting with a bowl of soup",
            "the lamp in the window was still burning",
        ),
    ),
    Wish(
        "find a friend",
        ("looked into every garden", "called across the {place}", "wrote a letter and gave it to the wind"),
        (
            "they were two, and that was enough",
            "they played until it was dark",
            "they met at the gate every day from then on",
        ),
    ),
    Wish(
        "catch the moon",
        ("climbed onto the roof", "jumped as high as {he} could", "held out a bucket of water"),
        (
            "the moon lay in the water, round and bright",
            "the moon looked down at them and seemed to smile",
            "they left the moon where it was, for everyone to see",
        ),
    ),
)

GREETINGS = (
    "Where are you going",
    "What are you doing here",
    "Why are you so sad",
    "Can I help you",
    "Are you all right",
    "What is the matter",
)
OFFERS = (
    "Come with me",
    "I know a way",
    "We can do it together",
    "Let me help you",
    "Two are better than one",
    "I have an idea",
    "Follow me and do not be afraid",
)
ANSWERS = ("I want to {wish}", "I only want to {wish}", "I would like to {wish}", "All day I have tried to {wish}")
MORALS = (
    "And that was the end of it.",
    "They were friends ever after.",
    "What a day that was!",
    "Nobody in the {place} forgot it.",
    "That night {name} slept well.",
    "And if you ask {name}, it is all true.",
    "The next day was just as good.",
    '"Thank you," said {name}.',
    "{name} was happy.",
)
SMALL = (
    "The {friend} lived {home}.",
    "The {friend} was {look} and kind.",
    "Nobody had seen the {friend} before.",
    "The {friend} had seen many such days.",
    "The {friend} did not say much.",
)

QUESTIONS = (
    ("Why is the sky grey", "Because it will rain before long"),
    ("Where do the birds go in winter", "They fly south and come back with the spring"),
    ("Who made the hole in the fence", "It was the badger, and he is sorry for it"),
    ("When will the snow melt", "When the wind turns and blows from the south"),
    ("What is behind the hill", "Another hill, and behind that the sea"),
    ("How old is this tree", "Older than all of us together"),
    ("Why does the owl sleep all day", "Because she works all night"),
    ("How deep is the pond", "Deep enough for a frog and too deep for a mouse"),
    ("Is the ice thick enough", "Not yet, so keep to the bank"),
    ("Can you hear the river", "Yes, it talks in its sleep"),
    ("What does the wind want", "It only wants to pass"),
    ("Have you seen my other shoe", "Snails have no shoes"),
    ("Is it far to the village", "Not for a crow, but far for a snail"),
    ("Who rings the bell at noon", "The old man with the white beard"),
    ("Why are you laughing", "Because the rain tickles my nose"),
    ("Do you know a story", "I know three, and the first is the longest"),
)
REPLIES = (
    '"I see," said the {hero}.',
    '"I thought so," said the {hero}, and yawned.',
    "The {hero} thought about it.",
    '"Are you sure?" asked the {hero}. "Quite sure," said the {friend}.',
    "The {hero} wrote it down.",
    '"Thank you," said the {hero}, and went away.',
)


class _Teller:
    """Draws words; random() alone is used, because its numbers are the same in every version of Python."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, items: tuple[T, ...]) -> T:
        return items[int(self._random.random() * len(items))]

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def talk(self) -> str:
        """A question and its answer, now and then two of them."""
        hero = self.pick(HEROES)
        words = {
            "hero": hero,
            "friend": self.pick(tuple(animal for animal in HEROES if animal != hero)),
            "place": self.pick(PLACES),
            "home": self.pick(HOMES),
        }
        parts = [f"A {{hero}} met a {{friend}} {{home}}, and {self.pick(self.pick(WEATHERS).begins)}."]
        for _ in range(2 if self.chance(0.4) else 1):
            question, answer = self.pick(QUESTIONS)
            parts += [f'"{question}?" asked the {{hero}}.', f'"{answer}," said the {{friend}}.']
        parts.append(self.pick(REPLIES))
        return _tidy(" ".join(parts).format_map(words).format_map(words))

    def story(self) -> str:
        weather, wish = self.pick(WEATHERS), self.pick(WISHES)
        female = self.chance(0.5)
        hero = self.pick(HEROES)
        friend = self.pick(tuple(animal for animal in HEROES if animal != hero))
        words = {
            "hero": hero,
            "friend": friend,
            "name": self.pick(SHE if female else HE),
            "he": "she" if female else "he",
            "look": self.pick(LOOKS),
            "home": self.pick(HOMES),
            "place": self.pick(PLACES),
            "wish": wish.wants,
        }
        opening = (
            f"A {{look}} {{hero}} named {{name}} lived {{home}}. {self.pick(TIMES)} {self.pick(weather.begins)}.",
            f"{self.pick(TIMES)} {self.pick(weather.begins)}. A {{look}} {{hero}} named {{name}} sat {{home}}.",
            f"Once there was a {{look}} {{hero}}, and {{he}} was called {{name}}. "
            f"{self.pick(TIMES)} {self.pick(weather.begins)}.",
        )
        parts = [self.pick(opening)]
        if self.chance(0.7):
            parts.append(self.pick(weather.trouble))
        parts.append("{name} wanted to {wish}.")
        parts.append(f"{{he}} {self.pick(wish.tries)}, but it was no use.")
        if self.chance(0.5):
            parts.append(f"{{name}} was {self.pick(weather.feels)}.")
        parts.append(f"Then {self.pick(('a', 'an old', 'a friendly', 'a passing'))} {{friend}} came along.")
        if self.chance(0.4):
            parts.append(self.pick(SMALL).replace("{look}", self.pick(LOOKS)).replace("{home}", self.pick(HOMES)))
        parts.append(f'"{self.pick(GREETINGS)}?" asked the {{friend}}.')
        parts.append(f'"{self.pick(ANSWERS)}," said {{name}}.')
        parts.append(f'"{self.pick(OFFERS)}," said the {{friend}}.')
        parts.append(self.pick(weather.ends))
        parts.append(f"{self.pick(('And so', 'Before long', 'In the end', 'Soon'))} {self.pick(wish.done)}.")
        parts.append(self.pick(MORALS))
        # a word list may hold a place of its own: fill twice
        return _tidy(" ".join(parts).format_map(words).format_map(words))


def _tidy(text: str) -> str:
    """`a owl` -> `an owl`; capitals at the beginning of sentences."""
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    return re.sub(r"(^|[.?!] )([a-z])", lambda found: found[1] + found[2].upper(), text)


def write_stories(length: int = 200_000, seed: int = 7) -> str:
    """At least `length` characters of stories, one to a paragraph. The same seed gives the same text everywhere."""
    teller = _Teller(seed)
    stories: list[str] = []
    written = 0
    while written < length:
        stories.append(teller.talk() if teller.chance(0.3) else teller.story())
        written += len(stories[-1]) + 2
    return "\n\n".join(stories) + "\n"
