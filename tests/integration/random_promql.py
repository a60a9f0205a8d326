"""Random PromQL expressions that are well typed, and smaller ones made of them.

    grammar = Grammar(random.Random(seed))
    expression = grammar.vector(3)
    str(expression)                     the text
    for smaller in expression.shrunk()  expressions with a part left out, smallest first

An expression is a Node: a template of text with `{}` for each child, and its type. What is made lies in what
Prometheus 2.42 and 3.x both speak, without what they disagree about by design (see fuzz_prometheus.py).
"""

VECTOR, SCALAR = "vector", "scalar"

# name, labels that series of it have
METRICS = [
    ("requests_total", ("job", "instance", "code")),
    ("load", ("job", "instance")),
    ("build_info", ("job", "instance", "version")),
    ("odd", ("kind",)),
    ("sparse", ("kind",)),
    ("latency_seconds_bucket", ("job", "le")),
    ("nothing_here", ("job",)),
]
VALUES = {
    "job": ("api", "web", "none"), "instance": ("a:80", "b:80", "c:80"), "code": ("200", "404", "500"),
    "version": ("1.2", "1.10"), "kind": ("cycle", "nan", "large", "gap", "stale"), "le": ("0.1", "1", "+Inf"),
}
PATTERNS = {
    "job": ("a.*", ".+", "api|web", ""), "instance": ("[ab]:80", ".*0"), "code": ("4..|5..", "2.*"),
    "version": ("1[.].*",), "kind": ("[cl].*", "gap|stale"), "le": (".*[.].*",),
}
NUMBERS = ("0", "1", "2", "-1", "0.5", "3", "10", "1e3", "1e-3", "NaN", "Inf", "-Inf", "100")
RANGES = ("61s", "2m", "5m", "7m", "13m", "29m")
# Of subqueries: no grid inside another begins on the left edge of a range, which counted before 3.0.
SUBRANGES = ("5m1s", "11m1s", "20m1s")
OFFSETS = ("1m", "7m", "13s", "-3m", "17m")
MATH = ("abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "sin", "cos", "tan", "asin", "acos",
        "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad", "round")
DATES = ("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year")
OVER_TIME = ("avg", "min", "max", "sum", "count", "last", "present")
COUNTERS = ("requests_total", 'requests_total{{job="api"}}', "latency_seconds_bucket", "build_info")
RANGE_FUNCTIONS = ("delta", "irate", "idelta", "deriv", "changes", "resets")
AGGREGATES = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
ARITHMETIC = ("+", "-", "*", "/", "%", "^", "atan2")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
SETS = ("and", "or", "unless")


class Node:
    def __init__(self, template, kind, *children):
        self.template = template
        self.kind = kind
        self.children = children

    def __str__(self):
        return self.template.format(*self.children)

    def size(self):
        return 1 + sum(child.size() for child in self.children)

    def descendants(self):
        for child in self.children:
            yield child
            yield from child.descendants()

    def shrunk(self):
        """Smaller expressions of the same type: a descendant, or this with one child made smaller."""
        found = [node for node in self.descendants() if node.kind == self.kind]
        for i, child in enumerate(self.children):
            for smaller in child.shrunk():
                found.append(Node(self.template, self.kind, *self.children[:i], smaller, *self.children[i + 1:]))
        return sorted(found, key=lambda node: (node.size(), len(str(node))))


class Grammar:
    def __init__(self, chance):
        self.chance = chance

    def pick(self, items):
        return self.chance.choice(items)

    # ---- Leaves ----

    def matchers(self, labels):
        out = []
        for _ in range(self.pick((0, 0, 1, 1, 2))):
            label = self.pick(labels)
            if self.chance.random() < 0.6:
                out.append(f'{label}{self.pick(("=", "!="))}"{self.pick(VALUES[label])}"')
            else:
                out.append(f'{label}{self.pick(("=~", "!~"))}"{self.pick(PATTERNS[label])}"')
        return "{{" + ",".join(out) + "}}" if out else ""

    def when(self):
        dice = self.chance.random()
        if dice < 0.75:
            return ""
        if dice < 0.9:
            return " offset " + self.pick(OFFSETS)
        return self.pick((" @ start()", " @ end()", " @ <at>", " @ <at> offset 3m", " @ end() offset -1m"))

    def selector_text(self):
        name, labels = self.pick(METRICS)
        if self.chance.random() < 0.05:
            return '{{__name__=~"load|sparse"}}'
        return name + self.matchers(labels)

    def number(self):
        return Node(self.pick(NUMBERS), SCALAR)

    def labels(self, many=2):
        return ", ".join(self.chance.sample(("job", "instance", "code", "kind", "le", "version", "absent"),
                                            self.chance.randrange(many + 1)))

    # ---- Ranges: text with holes, and the children for them ----

    def range(self, depth):
        if depth > 1 and self.chance.random() < 0.25:
            return f"{{}}[{self.pick(SUBRANGES)}:{self.pick(('1m', '45s', '', '2m'))}]" + self.when(), (
                self.wrapped(depth - 1),)
        return self.selector_text() + f"[{self.pick(RANGES)}]" + self.when(), ()

    def wrapped(self, depth):
        return Node("({})", VECTOR, self.vector(depth))

    # ---- Scalars ----

    def scalar(self, depth):
        dice = self.chance.random()
        if depth <= 1 or dice < 0.6:
            return self.number()
        if dice < 0.7:
            return Node(self.pick(("time()", "pi()")), SCALAR)
        if dice < 0.85:
            return Node("scalar({})", SCALAR, self.vector(depth - 1))
        operator = self.pick(ARITHMETIC + tuple(c + " bool" for c in COMPARISONS))
        return Node("({} " + operator + " {})", SCALAR, self.scalar(depth - 1), self.scalar(depth - 1))

    # ---- Vectors ----

    def vector(self, depth):
        if depth <= 1:
            return Node(self.selector_text() + self.when(), VECTOR)
        return self.pick((
            self.leaf, self.call, self.call, self.over_range, self.over_range, self.over_range, self.aggregate,
            self.aggregate, self.aggregate, self.with_scalar, self.with_vector, self.with_vector, self.set,
            self.labelled, self.histogram, self.unary, self.absent))(depth)

    def leaf(self, depth):
        if self.chance.random() < 0.15:
            return Node("vector({})", VECTOR, self.scalar(depth - 1))
        return self.vector(1)

    def call(self, depth):
        dice = self.chance.random()
        inner = self.vector(depth - 1)
        if dice < 0.5:
            return Node(self.pick(MATH) + "({})", VECTOR, inner)
        if dice < 0.6:
            # What no calendar holds has no year that two platforms agree about.
            return Node(self.pick(DATES) + "({} < 1e10 > -1e10)", VECTOR, Node("({})", VECTOR, inner))
        if dice < 0.7:
            return Node(self.pick(("clamp_min", "clamp_max", "round")) + "({}, {})", VECTOR, inner, self.scalar(1))
        if dice < 0.8:
            return Node("clamp({}, {}, {})", VECTOR, inner, self.scalar(1), self.scalar(1))
        if dice < 0.9 and "@" not in str(inner):  # with @ and offset 2.42 gave another sample's time
            return Node("timestamp({})", VECTOR, inner)
        return Node(self.pick(("sort", "sort_desc")) + "({})", VECTOR, inner)

    def over_range(self, depth):
        text, children = self.range(depth)
        dice = self.chance.random()
        if dice < 0.1:
            # Compensated sums of infinities are NaN since 3.0: only of what is finite.
            window = self.pick(SUBRANGES) + ":" + self.pick(("1m", "45s"))
            return Node(self.pick(("stddev", "stdvar")) + f"_over_time(({{}} < 1e100 > -1e100)[{window}])", VECTOR,
                        self.wrapped(depth - 1))
        if dice < 0.2:
            # Counters far from zero: rate() extrapolated further where they begin near it before 2.54.
            if children:
                text, children = text.replace("{}", "({} + 1e6)", 1), children
            else:
                text = self.pick(COUNTERS) + f"[{self.pick(RANGES)}]" + self.when()
            return Node(self.pick(("rate", "increase")) + f"({text})", VECTOR, *children)
        if dice < 0.45:
            return Node(self.pick(RANGE_FUNCTIONS) + f"({text})", VECTOR, *children)
        if dice < 0.85:
            return Node(self.pick(OVER_TIME) + f"_over_time({text})", VECTOR, *children)
        if dice < 0.93:
            return Node(f"quantile_over_time({{}}, {text})", VECTOR,
                        Node(self.pick(("0", "0.1", "0.5", "0.99", "1", "-1", "2")), SCALAR), *children)
        if dice < 0.97 and "@" not in text:  # with @ it answered at the first step alone before 3.0
            return Node(f"predict_linear({text}, " + self.pick(("60", "3600", "-600")) + ")", VECTOR, *children)
        return Node(f"absent_over_time({text})", VECTOR, *children)

    def grouping(self):
        dice = self.chance.random()
        if dice < 0.3:
            return ""
        return self.pick((" by ", " without ")) + "(" + self.labels(3) + ") "

    def aggregate(self, depth):
        inner = self.vector(depth - 1)
        dice = self.chance.random()
        grouping = self.grouping()
        if dice < 0.75:
            name = self.pick(AGGREGATES)
            # Of a group that begins with NaN or an infinity the deviation is NaN since 3.0, 0 before.
            hole = "({} < Inf > -Inf)" if name.startswith("std") else "({})"
            return Node(name + grouping + hole, VECTOR, inner)
        if dice < 0.85:
            return Node("quantile" + grouping + "({}, {})", VECTOR,
                        Node(self.pick(("0", "0.3", "0.5", "1", "-0.1", "1.1")), SCALAR), inner)
        if dice < 0.92:
            # Only of stored values: the last digit of a computed one makes another series. The new label is
            # the last of the grouping: 2.42 grouped wrongly from the second step on when it was not.
            return Node("count_values" + grouping + '("zz", {})', VECTOR, self.vector(1))
        # Of values that are all different: which of equal ones is chosen is nobody's promise.
        distinct = Node(self.pick(("load", "-load", "load * load", "deriv(load[5m])")), VECTOR)
        return Node(self.pick(("topk", "bottomk")) + grouping + "(" + self.pick(("1", "2", "3", "100")) + ", {})",
                    VECTOR, distinct)

    def with_scalar(self, depth):
        operator = self.pick(ARITHMETIC + COMPARISONS + tuple(c + " bool" for c in COMPARISONS))
        sum_of_it = " + 0" if operator == "atan2" else ""  # drops the name, which atan2 kept before 2.47
        sides = [self.wrapped(depth - 1), self.scalar(depth - 1)]
        self.chance.shuffle(sides)
        return Node("({} " + operator + " {}" + sum_of_it + ")", VECTOR, *sides)

    def matching(self, groups=True):
        dice = self.chance.random()
        if dice < 0.3:
            return ""
        text = self.pick((" on", " ignoring")) + "(" + self.labels(3) + ")"
        if groups and self.chance.random() < 0.4:
            text += " " + self.pick(("group_left", "group_right")) + "(" + self.pick(("", "", "version", "kind")) + ")"
        return text

    def with_vector(self, depth):
        operator = self.pick(ARITHMETIC + COMPARISONS + tuple(c + " bool" for c in COMPARISONS))
        if operator == "atan2":  # kept the metric's name before 2.47
            return Node("({} atan2" + self.matching() + " {} + 0)", VECTOR,
                        self.wrapped(depth - 1), self.wrapped(depth - 1))
        if self.chance.random() < 0.5:  # sides that are likely to fit
            # Compared are stored values alone: sums of one thing differ in the last digit.
            side = self.wrapped(1 if operator.split()[0] in COMPARISONS else depth - 1)
            other = Node("({} + {})", VECTOR, side, self.number()) if self.chance.random() < 0.5 else side
            return Node("({} " + operator + self.matching() + " {})", VECTOR, side, other)
        return Node("({} " + operator + self.matching() + " {})", VECTOR,
                    self.wrapped(depth - 1), self.wrapped(depth - 1))

    def set(self, depth):
        return Node("({} " + self.pick(SETS) + self.matching(groups=False) + " {})", VECTOR,
                    self.wrapped(depth - 1), self.wrapped(depth - 1))

    def labelled(self, depth):
        inner = self.vector(depth - 1)
        if self.chance.random() < 0.6:
            return Node('label_replace({}, "' + self.pick(("new", "job", "code", "__name__")) + '", "' +
                        self.pick(("$1", "x-$1", "", "fixed", "$2$1")) + '", "' +
                        self.pick(("instance", "job", "kind", "absent")) + '", "' +
                        self.pick(("(.*)", "(.):(.*)", "api", "a(.*)", "")) + '")', VECTOR, inner)
        return Node('label_join({}, "' + self.pick(("new", "job")) + '", "-", "' +
                    self.pick(("job", "kind")) + '", "instance")', VECTOR, inner)

    def histogram(self, depth):
        quantile = Node(self.pick(("0", "0.5", "0.9", "1", "-1", "2")), SCALAR)
        inner = self.pick(("latency_seconds_bucket", "rate(latency_seconds_bucket[5m])",
                           "sum by (le) (rate(latency_seconds_bucket[7m]))",
                           "sum by (job, le) (increase(latency_seconds_bucket[5m]))"))
        return Node("histogram_quantile({}, {})", VECTOR, quantile, Node(inner, VECTOR))

    def unary(self, depth):
        return Node("-({})", VECTOR, self.vector(depth - 1))

    def absent(self, depth):
        return Node("absent({})", VECTOR, self.vector(depth - 1))
