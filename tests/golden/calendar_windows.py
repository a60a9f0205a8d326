#!/usr/bin/env python3
"""Calendar windows of objectives, worked out with Python's calendar and zoneinfo alone.

Writes calendar_windows.txt: a line for each question,

    zone  beginning (wall clock)  count unit  moment  begins  ends

moments in seconds since 1970. The moment lies in (begins, ends]. Zones are chosen for what they do: an hour in
spring and autumn, half an hour, changes at midnight, a day that there never was, none at all, and 45 minutes off."""

import datetime
import os
import random
from zoneinfo import ZoneInfo

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia",
         "Asia/Kathmandu", "Africa/Casablanca", "UTC"]
STARTS = [(2010, 1, 1, 0, 0, 0), (2009, 12, 31, 2, 30, 0), (2010, 3, 28, 2, 30, 0), (2010, 1, 4, 8, 0, 0)]
UNITS = [(1, "d"), (1, "w"), (2, "w"), (1, "M"), (1, "Q"), (1, "Y"), (6, "h"), (3, "M")]
DAYS = {"d": 1, "w": 7}
MONTHS = {"M": 1, "Q": 3, "Y": 12}


def last_day(year, month):
    return ((datetime.date(year + month // 12, month % 12 + 1, 1)) - datetime.timedelta(1)).day


def seconds(zone, wall):
    """A wall time that is twice is the first; one that never is is taken with the offset before the change."""
    return int(wall.replace(tzinfo=zone, fold=0).timestamp())


def begin(zone, start, count, unit, index):
    if unit == "h":
        return seconds(zone, start) + index * count * 3600
    if unit in DAYS:
        return seconds(zone, start + datetime.timedelta(days=index * count * DAYS[unit]))
    months = start.year * 12 + start.month - 1 + index * count * MONTHS[unit]
    year, month = months // 12, months % 12 + 1
    return seconds(zone, start.replace(year=year, month=month, day=min(start.day, last_day(year, month))))


def window(zone, start, count, unit, moment):
    low, high = -40000, 40000
    if unit in MONTHS:
        low, high = -400, 400
    if unit == "Y":
        low, high = -100, 100
    while high - low > 1:  # the last window that begins before the moment
        middle = (low + high) // 2
        if begin(zone, start, count, unit, middle) < moment:
            low = middle
        else:
            high = middle
    return begin(zone, start, count, unit, low), begin(zone, start, count, unit, low + 1)


def main():
    rng = random.Random(20)
    # Changes of clocks, the day Samoa left out, and anything else between 2008 and 2030.
    moments = [1269738000, 1269738001, 1288486800, 1325239200, 1325246400, 1331452800, 1352008800, 1301756400]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "calendar_windows.txt")
    with open(path, "w", encoding="utf-8") as out:
        for name in ZONES:
            for fields in STARTS:
                start = datetime.datetime(*fields)
                for count, unit in UNITS:
                    for moment in rng.sample(moments, 2) + [rng.randrange(1199145600, 1893456000) for _ in range(2)]:
                        begins, ends = window(ZoneInfo(name), start, count, unit, moment)
                        print(name, start.isoformat(), count, unit, moment, begins, ends, file=out)


if __name__ == "__main__":
    main()
