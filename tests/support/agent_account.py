"""What an agent says of its samples on its page of /metrics, and that all of them are accounted for: for each
destination, at any time,

    taken in - aggregated + found at its start = sent + dropped (by any reason) + waiting + missed before its start +
        in the open batch + lost
"""
import re

from programs import Failure, get


def figures(text):
    """Values by name and labels of a page of /metrics."""
    out = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(agent_\w+)(?:\{(.*)\})? (\S+)", line)
        if match:
            out[match[1], frozenset(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))] = float(match[3])
    return out


def total(page, name, **labels):
    """Sum over the series of that name that have these labels."""
    return sum(v for (n, l), v in page.items() if n == name and set(labels.items()) <= l)


def check_account(page):
    """The identity, for each destination; returns what was sent to each."""
    taken = total(page, "agent_intake_samples_total") - total(page, "agent_aggregated_samples_total")
    shared = total(page, "agent_batch_samples") + total(page, "agent_lost_samples_total")
    sent = {}
    for (name, labels), value in page.items():
        if name != "agent_remote_sent_samples_total":
            continue
        destination = dict(labels)["destination"]
        sent[destination] = value
        dropped = total(page, "agent_remote_dropped_samples_total", destination=destination)
        pending = total(page, "agent_remote_pending_samples", destination=destination)
        found = total(page, "agent_remote_found_samples", destination=destination)
        missed = total(page, "agent_remote_missed_samples", destination=destination)
        if taken + found != value + dropped + pending + missed + shared:
            raise Failure(f"{destination}: taken {taken} + found {found} != sent {value} + dropped {dropped} + "
                          f"pending {pending} + missed {missed} + open or lost {shared}")
    return sent


def read_page(agent):
    """The page of a running agent, with its account checked."""
    page = figures(get(agent.url + "/metrics").text)
    check_account(page)
    return page
