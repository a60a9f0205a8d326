#!/usr/bin/env python3
"""Writes rule_templates.json: texts of rules and what a real promtool makes of them.

Each text is the annotation of an alert on `m{instance="host:9100", job="node", path="/a b?c=d&e"}` with the
value 1234567.5 at time 60 s; `v{n="…"}` holds three more series. A text that promtool refuses keeps its
sentence under "refused", one that fails has it in "expected" as Prometheus would put it into the annotation.

usage: rule_templates.py > rule_templates.json (needs promtool)
"""

import json
import re
import subprocess
import tempfile

TEXTS = r'''
plain text
{{ $labels.instance }} is {{ $value }}
{{ .Labels.job }}/{{ .Value }}/{{ .ExternalLabels.region }}/{{ $externalLabels.region }}
[{{ $labels.nope }}] [{{ .Labels }}]
a {{- 1 -}} b {{ 2 }} c {{- /* gone */ -}} d{{/* gone too */}}e
{{ if gt $value 1000000.0 }}big{{ else }}small{{ end }}
{{ if lt $value 1.0 }}a{{ else if eq $labels.job "x" }}b{{ else if eq $labels.job "x" "node" }}c{{ else }}d{{ end }}
{{ with $labels.job }}<{{ . }}>{{ end }}{{ with $labels.nope }}x{{ else }}none{{ end }}
{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}
{{ range $labels }}{{ . }},{{ end }}
{{ range $i, $s := query "sort(v)" }}{{ $i }}:{{ $s.Labels.n }}={{ $s.Value }} {{ end }}
{{ range query "sort(v)" }}{{ if eq (label "n" .) "two" }}{{ continue }}{{ end }}{{ label "n" . }}{{ end }}
{{ range query "sort(v)" }}{{ if eq (label "n" .) "two" }}{{ break }}{{ end }}{{ label "n" . }}{{ end }}
{{ range query "v > 100" }}x{{ else }}empty{{ end }}
{{ range sortByLabel "n" (query "v") }}{{ .Labels.n }} {{ end }}
{{ query "v{n=\"one\"}" | first | value }} {{ with query "v{n='two'}" }}{{ . | first | value | humanize }}{{ end }}
{{ query "v > 100" | first | value }}
{{ query "nonsense(" | first }}
{{ first (query "v") | label "nope" }}|{{ query "v" | first | strvalue }}
{{ $x := 1 }}{{ $y := $x }}{{ $x = 5 }}{{ $x }}{{ $y }}
{{ $x := "a" }}{{ if true }}{{ $x = "b" }}{{ $x := "c" }}{{ $x }}{{ end }}{{ $x }}
{{ define "t" }}[{{ . }}]{{ end }}{{ template "t" $value }}{{ template "t" }}
{{ define "t" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template "t" (args 1 "x") }}
{{ block "b" $labels.job }}({{ . }}){{ end }}
{{ template "missing" }}
{{ define "r" }}{{ template "r" . }}{{ end }}x
{{ printf "%d|%5d|%-5d|%05d|%x|%X|%o|%b|%c|%q|%U|%+d" 42 42 42 42 255 255 8 5 65 65 65 7 }}
{{ printf "%f|%.2f|%8.3f|%-8.1f|%e|%g|%G|%.3g|%+.1f|%08.2f" 1.5 1.555 1.5 1.5 1500000.0 1e21 1e-7 1234.5 2.0 3.14159 }}
{{ printf "%s|%10s|%-10s|%q|%x|%X|%.2s|%5.1s" "a" "b" "c" "d\n\"" "hi" "hi" "xyz" "pq" }}
{{ printf "%v %v %v %v" 1 2.5 "s" true }} {{ printf "%t %T %T %T %T" false 1 2.5 "s" true }}
{{ printf "%d" "s" }} {{ printf "%s" 1 }} {{ printf "%s" 1.5 }} {{ printf "%d" 1.5 }} {{ printf "%z" 1 }}
{{ printf "%d %d" 1 }} {{ printf "%d" 1 2 "x" }} {{ printf "%!" }} {{ printf "100%%" }} {{ printf "%" }}
{{ printf "%[2]d %[1]d" 1 2 }} {{ printf "%[3]d" 1 }} {{ printf "%*d" 5 1 }} {{ printf "%.*f" 2 3.14159 }} {{ printf "%-*d|" 4 7 }}
{{ printf "%6.2f%%" 12.3456 }} {{ printf "%#x %#o %#q % d % x" 255 8 "a" 5 "hi" }}
{{ printf "%v %s" nil nil }} {{ print nil }} {{ printf "%v" $labels }} {{ print 1 2 "a" "b" 3 4.5 }} {{ println 1 "a" }}
{{ print }}|{{ print "" }}|{{ println }}
{{ len "abc" }} {{ len $labels }} {{ len (query "v") }} {{ index $labels "job" }} {{ index (query "sort(v)") 1 | value }}
{{ index "abc" 1 }} {{ slice "abcdef" 1 3 }} {{ slice "abcdef" 2 }} {{ slice "abc" }}
{{ index (query "v") 7 }}
{{ index $labels 1 }}
{{ slice "abc" 2 1 }}
{{ slice "abc" 5 }}
{{ len 3 }}
{{ html "<a href='x'>&\"" }} {{ js "it's \"<b>\" & =\n" }} {{ urlquery "a b&c=ü/~-_." }} {{ html 1 2 "x" }}
{{ and 1 0 2 }} {{ and 1 2 }} {{ or 0 "" "x" }} {{ or 0 "" }} {{ not 0 }} {{ not "x" }} {{ and true false }}
{{ eq 1 1 }} {{ eq "a" "a" }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt "b" "a" }} {{ ge 1.5 2.5 }} {{ eq 1 2 3 1 }}
{{ eq 1 1.0 }}
{{ eq "1" 1 }}
{{ lt 1 "a" }}
{{ lt true false }}
{{ eq 1 }}
{{ lt nil 1 }}
{{ 1 | eq 1 }} {{ "x" | printf "%s-%s" "y" }} {{ 5 | gt 3 }} {{ "abc" | len }} {{ (len "abc") | printf "%d" }}
{{ 'a' }} {{ 'ü' }} {{ '\n' }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 017 }} {{ 1_000 }} {{ 1e3 }} {{ 1.50 }} {{ -3 }} {{ +4 }} {{ .5 }} {{ 0x1p4 }}
{{ "tab\there \u00fc \x41 \101 \\" }} {{ `raw \n "q"` }}
{{ true }} {{ false }} {{ 1000000.0 }} {{ 123456789.0 }} {{ 0.00001 }} {{ 1e100 }} {{ 100000.0 }} {{ 12345678 }}
{{ nil }}
{{ humanize 0.0 }} {{ humanize 1.0 }} {{ humanize 999.95 }} {{ humanize 1000.0 }} {{ humanize 1234567.0 }} {{ humanize 0.001234 }} {{ humanize -1500.0 }} {{ humanize 1e27 }} {{ humanize 1e-27 }} {{ humanize "17e3" }}
{{ humanize1024 0.0 }} {{ humanize1024 1.0 }} {{ humanize1024 1024.0 }} {{ humanize1024 1048576.0 }} {{ humanize1024 1e12 }} {{ humanize1024 0.5 }} {{ humanize1024 -2048.0 }}
{{ humanizeDuration 0.0 }} {{ humanizeDuration 1.0 }} {{ humanizeDuration 59.999 }} {{ humanizeDuration 60.0 }} {{ humanizeDuration 3600.0 }} {{ humanizeDuration 86400.0 }} {{ humanizeDuration 90061.5 }} {{ humanizeDuration -90061.0 }} {{ humanizeDuration 0.001 }} {{ humanizeDuration 0.000123456 }} {{ humanizeDuration 899.99 }}
{{ humanizePercentage 0.1234567 }} {{ humanizePercentage 1.0 }} {{ humanizePercentage 0.00001 }} {{ humanizePercentage -0.22222 }}
{{ humanizeTimestamp 1435065584.128 }} {{ humanizeTimestamp 0.0 }} {{ humanizeTimestamp 1435781451.5 }}
{{ humanize "x" }}
{{ humanize true }}
{{ toTime 1435065584.128 }} {{ (toTime 1435065584.0).Format "2006-01-02 15:04:05" }}
{{ (toTime 1435065584.128).Format "Mon Jan _2 15:04:05.000 2006" }} {{ (toTime 1136214245.0).Format "Monday, 02-Jan-06 3:04PM MST 002 Z07:00 -0700 .999" }}
{{ parseDuration "1h30m" }} {{ parseDuration "10ms" }}
{{ parseDuration "x" }}
{{ title "aa bb CC don't a_b a-b" }} {{ toUpper "abcü" }} {{ toLower "ABCÜ" }} {{ title "ünder" }}
{{ stripPort "host:9100" }} {{ stripPort "host" }} {{ stripPort "[::1]:80" }} {{ stripPort "a:b:c" }} {{ stripPort "[::1]" }}
{{ match "a+" "baab" }} {{ match "^a+$" "baab" }} {{ reReplaceAll "(.*):(.*)" "$2-$1" "host:9100" }} {{ reReplaceAll "a*" "x" "baac" }} {{ "x.y" | reReplaceAll "\\." "_" }}
{{ graphLink "up{job=\"a b\"}" }} {{ tableLink "rate(x[5m])" }}
{{ safeHtml "<b>" }} {{ $labels.path | urlquery }}
{{ (args 1 2).arg1 }} {{ args 1 "x" }}
{{ $value | printf "%.1f" | printf "%s!" }}
{{ with $x := 5 }}{{ $x }}{{ end }}{{ if $x := "" }}{{ else }}{{ $x }}|{{ end }}
{{ range $i, $c := args "a" "b" }}{{ $i }}{{ $c }}{{ end }}
{{ $labels.instance.foo }}
{{ .Labels.job.x }}
{{ .Value.x }}
{{ $value.x }}
{{ .Nope }}
{{ .Labels.job 1 }}
{{ .Value 1 }}
{{ printf 1 }}
{{ printf "%d" (len 3) }}
{{ toUpper 5 }}
{{ toUpper $value }}
{{ toUpper nil }}
{{ 5 | toUpper }}
{{ humanize }}
{{ humanize 1 2 }}
{{ len }}
{{ 1 2 }}
{{ "a" 1 }}
{{ (1) 2 }}
{{ range 5.5 }}x{{ end }}
{{ range "abc" }}x{{ end }}
{{ range true }}x{{ end }}
{{ range nil }}x{{ else }}y{{ end }}
line one{{ "\n" }}{{/* c */}}
{{ call 1 }}
{{ foo }}
{{ $undefined }}
{{ if true }}
{{ if true }}x{{ else }}y{{ else }}z{{ end }}
{{ end }}
{{ else }}
x{{ range . }}{{ end }}{{ break }}
{{ continue }}
{{
{{ "abc }}
{{ `abc }}
{{ 'ab' }}
{{ ' }}
{{ 1x }}
{{ 1 . }}
{{ .a.b.c | }}
{{ | 1 }}
{{ if }}x{{ end }}
{{ range }}x{{ end }}
{{ with }}x{{ end }}
{{ }}
{{ template }}
{{ template foo }}
{{ define "x" }}
{{ define x }}{{ end }}
{{ if true }}{{ define "x" }}{{ end }}{{ end }}
{{ define "x" }}a{{ end }}{{ define "x" }}b{{ end }}
{{ (1 }}
{{ 1) }}
{{ () }}
{{ 1 | 2 }}
{{ $x, $y := 1 }}
{{ range $a, $b, $c := . }}{{ end }}
{{ range $a, 1 := . }}{{ end }}
{{ $x := }}
{{ 1 := 2 }}
{{ @ }}
{{ # }}
{{ $x@ }}
{{ .x@ }}
{{ a,b }}
{{ "a".b }}
{{ 1.b }}
{{ nil.x }}
{{ true.x }}
{{ /* c */ }}
{{/* c }}
{{/* c */ x }}
{{ "\q" }}
{{ : }}
{{ = }}
{{ printf "a" "b" | printf }}
{{ é }}
{{ 0x }}
{{ 1__0 }}
{{ 1e }}
'''.strip("\n").split("\n")

TEXTS += [
    "two\nlines {{ .Nope }}",
    "two\nlines\n{{ if true\n}}{{ .Labels.job\n.x }}{{ end }}",
    "{{ if true }}\n\n{{ foo }}{{ end }}",
    "{{ if\ntrue\n",
    "x {{-\n 3 -}}\n y",
    "{{ range $k, $v := .Labels -}}\n  {{ $k }}\n{{- end }}",
    "{{ $labels | printf \"%v and a very long text indeed\" | toUpper | len | toUpper }}",
    "{{ printf \"%s\"   (  index   $labels   1 ) }}",
]


def promtool(rules, test):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/rules.yml", "w", encoding="utf-8") as f:
            json.dump(rules, f)
        with open(f"{folder}/test.yml", "w", encoding="utf-8") as f:
            json.dump(test, f)
        done = subprocess.run(["promtool", "test", "rules", f"{folder}/test.yml"],
                              capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


def go_unquote(text):
    """A %q string; Go's escapes are JSON's but for \\a \\v \\x and \\U."""
    text = re.sub(r"\\(a|v|x..|U........|u....|.)", lambda m: {
        "a": "\x07", "v": "\x0b", "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"',
        "\\": "\\"}.get(m[1]) or chr(int(m[1][1:], 16)), text)
    return text


def expand(text):
    rules = {"groups": [{"name": "g", "rules": [
        {"alert": "A", "expr": "m", "annotations": {"a": text}}]}]}
    test = {
        "rule_files": ["rules.yml"], "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m", "external_labels": {"region": "eu"}, "external_url": "http://host:9095/p",
            "input_series": [
                {"series": 'm{instance="host:9100",job="node",path="/a b?c=d&e"}',
                 "values": "1234567.5 1234567.5"},
                {"series": 'v{n="one"}', "values": "1 1"},
                {"series": 'v{n="two"}', "values": "2000 2000"},
                {"series": 'v{n="three"}', "values": "3.5 3.5"}],
            "alert_rule_test": [{"eval_time": "1m", "alertname": "A", "exp_alerts": [
                {"exp_labels": {"x": "y"}}]}]}]}
    said = promtool(rules, test)
    got = re.search(r'got:\[.*?Annotations:\{a="(.*)"\}$', said, re.DOTALL | re.MULTILINE)
    if got:
        return {"text": text, "expected": go_unquote(got[1])}
    empty = re.search(r'got:\[.*?Annotations:\{\}$', said, re.DOTALL | re.MULTILINE)
    if empty:
        return {"text": text, "expected": ""}
    refused = re.search(r'annotation "a": (.*?)\s*$', said, re.DOTALL)
    return {"text": text, "refused": refused[1] if refused else said}


if __name__ == "__main__":
    print("[")
    print(",\n".join(json.dumps(expand(t), ensure_ascii=False) for t in TEXTS))
    print("]")
