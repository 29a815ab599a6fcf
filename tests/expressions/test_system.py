"""Rules with a memory of their own: how they are read, printed, measured and computed."""

import pickle

import pytest
import sympy
import torch

from l2o_core.errors import ExpressionError
from l2o_core.expressions import MAX_NODES, Expression, System, const, conventions, parse, parse_rule, var
from l2o_core.expressions.canonical import canonical

ADAM = "p = 0.9*p[1] + 0.1*g;  q = 0.999*q[1] + 0.001*g^2;\n -p / (sqrt(q) + 1e-8)"
RULES = [
    ADAM,
    "0.9 * u[1] - 0.01 * g",
    "w = theta - theta; -g - w[3]",
    "p = c; q = p[0] + q[2] * p[1]; q - p",
    "p = q[1]; q = p[1] + u[2]; p * q",
    "a_1 = 2 * 3; -g",
]


@pytest.mark.parametrize("text", RULES)
def test_printing_and_reading_are_inverse(text):
    rule = parse_rule(text)
    assert parse_rule(str(rule)) == rule
    assert System.from_json(rule.to_json()) == rule
    assert hash(parse_rule(str(rule))) == hash(rule)
    assert eval(repr(rule), {"parse": parse, "parse_rule": parse_rule}) == rule
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_a_system_is_its_states_and_the_update():
    p, q = 0.9 * var("p", 1) + 0.1 * var("g"), 0.999 * var("q", 1) + 0.001 * var("g") ** 2
    rule = parse_rule(ADAM)
    assert rule == System((("p", p), ("q", q)), -var("p") / (parse("sqrt(q)") + 1e-8))
    assert [name for name, _ in rule.equations] == ["p", "q", "u"]
    assert rule.complexity == sum(value.complexity for _, value in rule.equations) == 22
    assert rule.constants == (0.9, 0.1, 0.999, 0.001, 1e-8)
    assert rule != parse_rule(ADAM.replace("p", "r"))


def test_what_has_no_states_is_an_expression():
    rule = parse_rule("0.9 * u[1] - u[3] + theta")
    assert rule == parse("0.9 * u[1] - u[3] + theta")
    assert isinstance(rule, Expression)
    assert rule.memory == {"u": 3}
    assert rule.equations == (("u", rule),)


@pytest.mark.parametrize(
    ("text", "inputs", "memory"),
    [
        (ADAM, ["g"], {"p": 1, "q": 1}),
        ("p = c * p[4] + g[2]; q = p; -q - theta + u[1]", ["c", "g[2]", "theta", "u[1]"], {"p": 4, "u": 1}),
        ("-g", ["g"], {}),
    ],
)
def test_inputs_are_told_from_states_and_memory_is_what_is_read_of_the_past(text, inputs, memory):
    rule = parse_rule(text)
    assert [*map(str, rule.variables)] == inputs
    assert rule.memory == memory


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("p = 1", 5, "the update must follow the states, as in p = ...; -p"),
        ("p = 1;", 6, "found the end"),
        ("p = ; p", 4, "found the end"),
        ("p = 0.1 * g; q = p +; q", 20, "found the end"),
        ("p = 0.1 * (g; p", 10, "never closed"),
        ("x; y", 0, "expected a state"),
        ("p = 1; p;", 7, "expected a state"),
        (";", 0, "expected a state"),
        ("p[0] = 1; p", 0, "expected a state"),
        ("p == 1; p", 3, "found '='"),
        ("p + q = 1; p", 0, "expected a state"),
        ("p = p; p", 4, "p is not computed yet; its value one step ago is p[1]"),
        ("p = 1; q = q[0] + 1; q", 11, "q is not computed yet"),
        ("p = r; r = 1; p", 4, "r is not computed yet"),
        ("u[0]", 0, "u is what the rule is about to compute; its value one step ago is u[1]"),
        ("g - u", 4, "u[1]"),
        ("p = 0.1 * u; p", 10, "u[1]"),
        ("g - theta[1]", 4, "theta is the parameter now"),
        ("u = g; u", 0, "the update that the rule computes"),
        ("theta = g; theta", 0, "theta is the parameter"),
        ("p = g; m = g; m", 7, "m is a feature: give the state another name"),
        ("t = t[1] + 1; t", 0, "t is a feature"),
        ("tanh = g; tanh", 0, "tanh is a function"),
        ("lambda = g; g", 0, "reserved"),
        ("p = g; p = 2 * g; p", 7, "the state p is there already"),
    ],
)
def test_mistakes_are_pointed_at(text, position, message):
    with pytest.raises(ExpressionError) as caught:
        parse_rule(text)
    assert message in str(caught.value)
    assert caught.value.position == position
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("states", "update", "message"),
    [
        ((), "g", "a system has a state or more"),
        ([("m", "g")], "g", "m is a feature"),
        ([("p", "p")], "g", "p is not computed yet"),
        ([("p", "q"), ("q", "g")], "p", "q is not computed yet"),
        ([("p", "g")], "u", "about to compute"),
        ([("p", "theta[2]")], "p", "theta is the parameter now"),
        ([("p", "g"), ("p", "g")], "p", "there already"),
    ],
)
def test_what_is_built_by_hand_is_checked_too(states, update, message):
    with pytest.raises(ExpressionError, match=message):
        System(tuple((name, parse(value)) for name, value in states), parse(update))


@pytest.mark.parametrize(
    "text", ["a=1;" * 10**5, "".join(f"a{i}=1;" for i in range(30_000)) + "1", ";" * 10**5, "p=" * 10**5]
)
def test_size_is_bounded(text):
    with pytest.raises(ExpressionError) as caught:
        parse_rule(text)
    assert len(str(caught.value)) < 500


def test_parts_count_together():
    half = " + ".join(["g"] * (MAX_NODES // 4 + 1))
    assert parse_rule(half).complexity < MAX_NODES / 2 + 2
    with pytest.raises(ExpressionError, match="a rule may have 10000 nodes"):
        parse_rule(f"p = {half}; {half}")


def test_parse_says_who_reads_systems():
    with pytest.raises(ExpressionError, match="parse_rule"):
        parse(ADAM)


def follow(rule, gradients: torch.Tensor, constants: torch.Tensor | None = None) -> torch.Tensor:
    """The updates of a system by its definition: every value that it ever had is kept."""
    past: list[dict[str, torch.Tensor]] = []
    for g in gradients:
        inputs = {"g": g}
        for name, depth in rule.memory.items():
            for lag in range(1, depth + 1):
                inputs[f"{name}[{lag}]"] = past[-lag][name] if lag <= len(past) else torch.zeros_like(g)
        past.append(rule.compile_all()(inputs, constants))
    return torch.stack([values["u"] for values in past])


def test_values_by_hand():
    g = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]], dtype=torch.float64)
    p, q, want = torch.zeros(2), torch.zeros(2), []
    for now in g:
        p, q = 0.9 * p + 0.1 * now, 0.999 * q + 0.001 * now**2
        want.append(-p / (q.sqrt() + 1e-8))
    torch.testing.assert_close(follow(parse_rule(ADAM), g), torch.stack(want), check_dtype=False)


def test_states_read_those_above_now_and_all_of_them_before():
    rule = parse_rule("p = q[1] + 1; q = p + q[2]; p + 10 * q")
    values = follow(rule, torch.zeros(4, 1, dtype=torch.float64))[:, 0].tolist()
    p, q = [], []
    for step in range(4):
        p.append((q[-1] if step else 0) + 1)
        q.append(p[-1] + (q[-2] if step > 1 else 0))
    assert values == [a + 10 * b for a, b in zip(p, q, strict=True)]


def test_evaluate_is_one_step():
    rule = parse_rule("p = 0.5 * p[1] + g; -p")
    inputs = {"g": torch.tensor([1.0]), "p[1]": torch.tensor([4.0])}
    assert rule.evaluate(inputs).item() == rule.compile()(inputs).item() == -3
    with pytest.raises(ExpressionError, match=r"needs p\[1\]"):
        rule.evaluate({"g": torch.tensor([1.0])})


def test_constants_can_be_given_and_have_derivatives():
    rule, g = parse_rule("p = 0.5 * p[1] + g; -0.1 * p"), torch.ones(3, 1, dtype=torch.float64)
    constants = torch.tensor([0.8, -0.2], dtype=torch.float64, requires_grad=True)
    assert torch.equal(follow(rule, g, constants), follow(rule.with_constants(constants.tolist()), g))
    assert torch.autograd.gradcheck(lambda c: follow(rule, g, c), constants)
    with pytest.raises(ExpressionError, match="2 constants, not 1"):
        follow(rule, g, constants[:1])
    with pytest.raises(ExpressionError, match="2 constants, not 3"):
        rule.with_constants([1, 2, 3])


def test_parts_change_together():
    rule = parse_rule("p = (1 + 1) * p[1] + c * g; -p * 1 - c")
    assert str(rule.simplify()) == "p = 2 * p[1] + c * g; -p - c"
    assert str(rule.substitute({"c": 3, "p": 7, "p[1]": 7, "g": var("g", 1)})) == (
        "p = (1 + 1) * p[1] + 3 * g[1]; -p * 1 - 3"
    )
    assert str(parse_rule("p = 0.123456 * g + p[1]; -p").rounded(2)) == "p = 0.12 * g + p[1]; -p"
    assert str(rule.map(canonical)) == "p = 2 * p[1] + c * g; -c - p"
    assert rule.map(lambda part: part * const(1)).complexity == rule.complexity + 4


def test_latex_gives_states_their_time():
    assert parse_rule("p1 = 0.9 * p1[1] + g; -p1").latex() == (
        r"\begin{aligned} p_{1,t} &= 0.9 \, p_{1,t-1} + g \\ u_{t} &= -p_{1,t} \end{aligned}"
    )
    assert parse("0.9 * u[1] + theta").latex() == r"0.9 \, u_{t-1} + \theta"


def test_sympy_has_one_equation_each():
    p0, p1, g, u = sympy.symbols("p_0 p_1 g u_0", real=True)
    found = parse_rule("p = 0.5 * p[1] + g; -3 * p").sympy()
    assert found == (sympy.Eq(p0, 0.5 * p1 + g), sympy.Eq(u, -3 * p0))
    with pytest.raises(ExpressionError, match="share the SymPy symbol p_1"):
        parse_rule("p = p[1]; p + p_1").sympy()


def test_conventions_look_into_states():
    assert [found.text[:7] for found in conventions(parse_rule("p = sqrt(g); p"))] == ["sqrt(x)"]
