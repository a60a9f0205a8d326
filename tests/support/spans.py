"""Spans as OTLP's JSON, made by hand: what an SDK with http/json sends."""
import json

KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
STATUSES = {"unset": 0, "ok": 1, "error": 2}


def attribute(key, value):
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    return {"key": key, "value": {"stringValue": str(value)}}


def span(trace, identity, name, start_ns, ms, kind="server", parent=0, status="unset", state="", **attributes):
    """One span; `__` in the name of an attribute stands for a dot."""
    made = {"traceId": f"{trace:032x}", "spanId": f"{identity:016x}", "name": name, "kind": KINDS[kind],
            "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + int(ms * 10**6)),
            "status": {"code": STATUSES[status]},
            "attributes": [attribute(k.replace("__", "."), v) for k, v in attributes.items()]}
    if parent:
        made["parentSpanId"] = f"{parent:016x}"
    if state:
        made["traceState"] = state
    return made


def request(*services):
    """The body of an export; each service is a name with a list of spans."""
    return json.dumps({"resourceSpans": [
        {"resource": {"attributes": [attribute("service.name", name)]}, "scopeSpans": [{"spans": spans}]}
        for name, spans in services]}).encode()
