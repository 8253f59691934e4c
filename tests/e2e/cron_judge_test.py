"""What `hark cron next` says, beside what python3-croniter makes of the same expression, and Python's zoneinfo of the same zone.

Different on purpose, and not asked here: croniter takes `*/2` in a day field for a restriction of its own, and a list of all days for `*` (hark goes by
crontab(5): a field that begins with * leaves the choice to the other), reads ranges that end before they begin, and has its own rules for daylight saving. So
croniter is asked about the wall clock alone, and what becomes of times that are skipped or repeated is worked out here.
"""

import datetime
import json
import random
import subprocess
import unittest
import zoneinfo

from croniter import croniter

from support import HARK

UTC = datetime.timezone.utc
ZONES = ["Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca",
         "Pacific/Auckland", "America/St_Johns", "Asia/Tehran", "Europe/Dublin", "Pacific/Kiritimati"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def field(dice, low, high, names=None):
    """A list, range, step or value of a field."""
    def value():
        number = dice.randint(low, high)
        return names[number - low] if names and dice.random() < 0.3 else str(number)
    def element():
        kind = dice.random()
        if kind < 0.6:
            return value()
        first, last = sorted(dice.sample(range(low, high + 1), 2))
        step = f"/{dice.randint(1, last - first)}" if kind > 0.8 else ""
        return f"{first}-{last}{step}"
    return ",".join(element() for _ in range(dice.choice([1, 1, 1, 2, 3])))


def expression(dice, fixed):
    """`fixed`: neither the hour nor the minute begins with *."""
    star = lambda chance: dice.random() < chance
    minute = field(dice, 0, 59) if fixed or star(0.7) else dice.choice(["*", "*/7", "*/15"])
    hour = field(dice, 0, 23) if fixed or star(0.7) else dice.choice(["*", "*/5"])
    day = "*" if star(0.5) else field(dice, 1, 28)
    month = "*" if star(0.6) else field(dice, 1, 12, MONTHS)
    weekday = "*" if star(0.5) else field(dice, 0, 6, DAYS)
    text = f"{minute} {hour} {day} {month} {weekday}"
    whole = lambda at, word: word != "*" and croniter.expand(text)[0][at] == ["*"]
    return expression(dice, fixed) if whole(2, day) or whole(4, weekday) else text


def moment(dice):
    return datetime.datetime(1975, 1, 1) + datetime.timedelta(minutes=dice.randrange(85 * 365 * 1440))


def hark_next(text, zone, start, count):
    """Strictly after `start`, which is in UTC."""
    start = start + datetime.timedelta(microseconds=1)
    ran = subprocess.run([HARK, "cron", "next", text, "--timezone", zone, "--from", start.replace(tzinfo=UTC).isoformat(), "-n", str(count), "--json"],
                         capture_output=True, text=True, check=True)
    return [datetime.datetime.fromisoformat(slot.replace("Z", "+00:00")) for slot in json.loads(ran.stdout)["next"]]


def moments(reading, zone):
    """What a reading of the wall clock is, by cron's rule: the jump itself where it is skipped, the first of two where it is repeated."""
    aware = reading.replace(tzinfo=zone)
    there = aware.astimezone(UTC)
    if there.astimezone(zone).replace(tzinfo=None) == reading:
        return there
    # Skipped: the first moment of the clock that is set forward.
    before, after = there - datetime.timedelta(hours=3), there + datetime.timedelta(hours=3)
    offset = before.astimezone(zone).utcoffset()
    while after - before > datetime.timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


class Judge(unittest.TestCase):
    def test_the_wall_clock_as_croniter_reads_it(self):
        dice = random.Random(20260329)
        for _ in range(1000):
            text, start = expression(dice, fixed=False), moment(dice)
            iterator = croniter(text, start)
            wanted = [iterator.get_next(datetime.datetime).replace(tzinfo=UTC) for _ in range(5)]
            self.assertEqual(hark_next(text, "UTC", start, 5), wanted, f"{text} from {start}")

    def test_fixed_times_in_zones_of_the_system(self):
        dice = random.Random(20261025)
        for _ in range(1000):
            text, name = expression(dice, fixed=True), dice.choice(ZONES)
            zone = zoneinfo.ZoneInfo(name)
            start = moment(dice)
            local = start.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
            # From a day before, as a reading may come twice, or become a later moment.
            iterator = croniter(text, local - datetime.timedelta(days=1))
            wanted = []
            while len(wanted) < 4:
                slot = moments(iterator.get_next(datetime.datetime), zone)
                if slot > start.replace(tzinfo=UTC) and slot not in wanted:
                    wanted.append(slot)
            self.assertEqual(hark_next(text, name, start, 4), sorted(wanted), f"{text} in {name} from {start} UTC")


if __name__ == "__main__":
    unittest.main()
