"""The form says of a value what the service would say, word for word: its TypeScript runs here beside the service's check."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from voxelhub_service.tools.arguments import ArgumentError, complete, sentence

ROOT = Path(__file__).resolve().parents[2]
NODE = shutil.which("node", path=f"{ROOT}/.envs/core/bin") or shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None or not (ROOT / "node_modules/typescript").exists(),
                                reason="npm packages are not installed")
PROGRAM = """
const ts = require('typescript'), fs = require('fs'), module_ = { exports: {} };
const compilerOptions = { module: 'commonjs', target: 'es2022' };
const text = ts.transpileModule(fs.readFileSync(process.argv[1], 'utf8'), { compilerOptions });
new Function('exports', 'module', text.outputText)(module_.exports, module_);
const { fieldsOf, complaint, initialValues, listOf, listText } = module_.exports;
const answers = { complaint: (schema, value) => complaint(fieldsOf(schema)[0], value), initial: s => initialValues(fieldsOf(s)),
                  names: s => fieldsOf(s).map(f => f.name), list: (s, text) => listOf(fieldsOf(s)[0], text) ?? null,
                  text: (s, value) => listText(fieldsOf(s)[0], value) };
require('readline').createInterface({ input: process.stdin }).on('line', line => {
  const [name, ...args] = JSON.parse(line, (_, v) => v === '__undefined' ? undefined : v);
  console.log(JSON.stringify(answers[name](...args.map(a => a === null ? undefined : a))));
});
"""


class Form:
    def __init__(self):
        self.process = subprocess.Popen(
            [NODE, "-e", PROGRAM, str(ROOT / "extensions/lab/src/tools/schema.ts")], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, name, *args):
        self.process.stdin.write(json.dumps([name, *args]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def form():
    form = Form()
    yield form
    form.process.stdin.close()
    form.process.wait(60)


def schema_of(spec, required=False):
    return {"type": "object", "properties": {"x": {"title": "Width", **spec}}, "required": ["x"] if required else [],
            "additionalProperties": False}


@pytest.mark.parametrize(("spec", "value", "expected"), [
    ({"type": "number", "minimum": 0, "x-unit": "mm"}, -1, "Width must be at least 0 mm."),
    ({"type": "number", "maximum": 10}, 11, "Width must be at most 10."),
    ({"type": "number", "exclusiveMinimum": 0.5}, 0.5, "Width must be above 0.5."),
    ({"type": "number", "exclusiveMaximum": 2, "x-unit": "s"}, 2, "Width must be below 2 s."),
    ({"type": "integer", "multipleOf": 2}, 3, "Width must be a multiple of 2."),
    ({"type": "integer"}, 1.5, "Width must be a whole number."), ({"type": "number"}, "a", "Width must be a number."),
    ({"type": "string"}, 3, "Width must be a text."), ({"type": "boolean"}, "x", "Width must be yes or no."),
    ({"type": "string", "enum": ["a", "b"]}, "c", "Width must be one of a, b."),
    ({"type": "string", "minLength": 2}, "a", "Width must have at least 2 characters."),
    ({"type": "string", "maxLength": 1}, "😀😀", "Width must have at most 1 character."),
    ({"type": "string", "pattern": "^a+$"}, "b", "Width does not have the expected form."),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1], "Width must have at least 2 values."),
    ({"type": "array", "items": {"type": "integer"}, "maxItems": 1}, [1, 2], "Width must have at most 1 value."),
    ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, [1, 1], "Width holds a value twice."),
    ({"type": "array", "items": {"type": "integer", "maximum": 3}}, [1, 4], "Width must be at most 3."),
    ({"type": "array", "items": {"enum": ["a"]}}, ["b"], "Width must be one of a."),
    ({"type": "number", "minimum": 0}, 3, ""), ({"type": "string", "maxLength": 1}, "😀", ""),
    ({"type": "array", "items": {"type": "string"}}, [], ""),
])
def test_each_rule_is_said_alike(form, spec, value, expected):
    assert form("complaint", schema_of(spec), value) == expected
    try:
        complete(schema_of(spec), {"x": value})
        said = ""
    except ArgumentError as error:
        said = str(error)
        assert error.name == "x"
    assert said == expected


def test_what_is_missing(form):
    schema = schema_of({"type": "number"}, required=True)
    assert form("complaint", schema, None) == "Fill in Width."
    with pytest.raises(ArgumentError, match=r"Fill in Width\.") as caught:
        complete(schema, {})
    assert caught.value.name == "x" and form("complaint", schema_of({"type": "number"}), None) == ""


def test_hidden_arguments_are_not_in_the_form_and_cannot_be_changed(form):
    schema = {"type": "object", "properties": {
        "a": {"title": "A", "type": "string", "x-hidden": True, "default": "v"},
        "b": {"title": "B", "type": "array", "items": {"type": "integer"}, "default": [1]}}}
    assert form("names", schema) == ["b"] and form("initial", schema) == {"b": [1]}
    assert complete(schema, {}) == {"a": "v", "b": [1]} == complete(schema, {"a": "v"})
    with pytest.raises(ArgumentError, match=r"A is set by the tool and cannot be changed\.") as caught:
        complete(schema, {"a": "w"})
    assert caught.value.name == "a"


@pytest.mark.parametrize(("items", "text", "value"), [
    ("integer", "1, 2;3  4", [1, 2, 3, 4]), ("number", "0.5", [0.5]), ("integer", "", []), ("string", "a b\n\n c ", ["a b", "c"]),
    ("integer", "1,x", [1, None]),
])
def test_several_values_are_typed_in_one_field(form, items, text, value):
    schema = schema_of({"type": "array", "items": {"type": items}})
    assert form("list", schema, text) == value
    if None in value:  # NaN: no number
        return
    assert form("list", schema, form("text", schema, value)) == value


numbers = st.integers(-20, 20) | st.integers(-80, 80).map(lambda one: one / 4)
rules = st.fixed_dictionaries({"type": st.sampled_from(["number", "integer"])}, optional={
    "minimum": numbers, "maximum": numbers, "exclusiveMinimum": numbers, "exclusiveMaximum": numbers,
    "multipleOf": st.sampled_from([1, 2, 0.5, 0.25])})
text_rules = st.fixed_dictionaries({"type": st.just("string")}, optional={
    "minLength": st.integers(0, 4), "maxLength": st.integers(0, 4), "pattern": st.sampled_from(["^a", "b$", "^[a-c]*$"]),
    "enum": st.lists(st.sampled_from("abc"), min_size=1, unique=True)})
scalar_rules = rules | text_rules
specs = scalar_rules | st.fixed_dictionaries({"type": st.just("array"), "items": scalar_rules}, optional={
    "minItems": st.integers(0, 3), "maxItems": st.integers(1, 3), "uniqueItems": st.booleans()})
scalars = numbers | st.text("abcd😀", max_size=5)


@settings(max_examples=500, deadline=None)
@given(specs, st.data())
def test_the_form_complains_exactly_when_the_service_does(form, spec, data):
    value = data.draw(st.lists(scalars, max_size=4) if spec["type"] == "array" else scalars)
    schema = schema_of(spec)
    all_said = {sentence(one, schema["properties"]) for one in Draft202012Validator(schema).iter_errors({"x": value})}
    said = form("complaint", schema, value)
    assert (said in all_said) if all_said else said == "", (said, all_said)
