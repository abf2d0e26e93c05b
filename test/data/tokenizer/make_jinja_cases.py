#!/usr/bin/env python3
"""Prints jinja_cases.json: templates of the subset and what jinja2 (3.1.6) makes of them.

The variables are those of sampleVariables() in ChatTemplateTest.cpp. Run by hand after adding a case:
  python3 make_jinja_cases.py > jinja_cases.json
"""
import json
import re

from jinja2.sandbox import ImmutableSandboxedEnvironment
env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
env.filters["tojson"] = lambda x: json.dumps(x, ensure_ascii=False)
V = json.loads('''{
    "s": "héllo wörld", "n": 3, "f": 1.5, "t": true, "none": null,
    "list": [1, "two", 3.0, null], "words": ["a", "b", "c"],
    "dict": {"b": 1, "a": "x", "items": 5, "nested": {"k": [1, {"z": "'q'"}]}},
    "messages": [{"role": "user", "content": "hi"},
                 {"role": "assistant", "content": "yo"}]}''')
C = r"""
{{ s }}|{{ n }}|{{ f }}|{{ t }}|{{ none }}|{{ list }}|{{ dict }}
{{ x }}|{{ x is defined }}|{{ x is undefined }}|{{ x | length }}|{{ x ~ 'a' }}|{{ 'a' in x }}|{{ x == y }}
{{ x is none }}{{ x is iterable }}{{ x is sequence }}{{ x is mapping }}{{ x is string }}{{ x | trim }}|{{ x | items | list }}
{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ -n }} {{ +n }}
{{ 1.0 }} {{ 1e16 }} {{ 123456789012345680.0 }} {{ 1e-5 }} {{ 0.0001 }} {{ 1.5e300 }} {{ 0.1 + 0.2 }} {{ 100.0 }} {{ 1e15 }} {{ 1e22 * 10 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ -0.0 }}
{{ n + 1.5 }} {{ true + 1 }} {{ n == 3.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ [1, 2] == [1, 2] }} {{ (1, 2) == [1, 2] }} {{ dict == dict }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 'a' < 'é' }} {{ 1 != 2 }} {{ 2 >= 2 }} {{ 2 > 2 }} {{ 2 <= 1 }}
{{ 'a' ~ 1 ~ none ~ true ~ 1.0 ~ [1] }} {{ 'a' ~ 1 + 2 ~ 3 if false else 'ok' }}
{{ 'b' in words }} {{ 'z' not in words }} {{ 'llo' in s }} {{ 'a' in dict }} {{ not 'a' in dict }} {{ 1 in list }} {{ 3 in list }}
{{ t and n }} {{ none and n }} {{ none or s }} {{ not none }} {{ '' or 0 or [] }} {{ t and not none }} {{ not t or t }}
{{ 'yes' if n > 2 else 'no' }} {{ 'yes' if n > 5 }}| {{ 'a' if none else 'b' if t else 'c' }}
{{ s[0] }} {{ s[1] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[:2] }} {{ s[-3:] }} {{ s[::2] }} {{ s[5:1] }} {{ s[8:2:-2] }} {{ s[99:] }} {{ s[-99:3] }} {{ s[::99] }} {{ s[::-99] }}
{{ words[0] }} {{ words[-1] }} {{ words[1:] }} {{ words[::-1] }} {{ words[5] }}| {{ words.0 }} {{ words[true] }} {{ (1, 2, 3)[1:] }} {{ words[-2:] }} {{ words[:-1] }} {{ words[2:0:-1] }} {{ words[9:0:-1] }}
{{ dict.a }} {{ dict['a'] }} {{ dict['items'] }} {{ dict.nested.k[1].z }} {{ dict.q }}| {{ dict['q'] }}| {{ dict[1] }}| {{ none.x }}| {{ n.x }}| {{ s.x }}|
{% for k, v in dict.items() %}{{ k }}={{ v }};{% endfor %} {% for k, v in dict|items %}{{ k }}={{ v }};{% endfor %} {% for k in dict %}{{ k }}{% endfor %}
{{ dict.keys() | list }} {{ dict.values() | list }} {{ dict.get('a') }} {{ dict.get('q') }} {{ dict.get('q', 7) }} {{ dict | length }} {{ dict.items() | list }}
{% for w in words %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}
{% for w in [] %}x{% else %}empty{% endfor %}{% for w in words if w != 'b' %}{{ loop.index }}{{ w }}{{ loop.last }}{% else %}none{% endfor %}{% for w in words if false %}x{% else %}none{% endfor %}
{% for c in 'añb' %}[{{ c }}]{% endfor %}{% for a in x %}x{% else %}undefined{% endfor %}
{% for a, b in [(1, 2), [3, 4]] %}{{ a }}-{{ b }} {% endfor %}{% for w in words %}{% if w == 'b' %}{% continue %}{% endif %}{{ w }}{% if w == 'c' %}{% break %}{% endif %}{% endfor %}
{% for w in words %}{% for v in words %}{{ loop.index }}{{ w }}{% endfor %}{{ loop.index }}{% endfor %}
{% set v = 1 %}{% for w in words %}{% set v = v + 1 %}{{ v }}{% endfor %}{{ v }}
{% set v = 1 %}{% if true %}{% set v = 2 %}{% endif %}{{ v }}{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}
{% set ns = namespace(a=1, b='x') %}{% for w in words %}{% set ns.a = ns.a + 1 %}{% set ns.c = w %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns.d }}|{{ ns.d is defined }}
{% set b %}in {{ n }} block{% set inner = 3 %}{% endset %}{{ b }}|{{ b | length }}|{{ inner }}
{% macro m(a, b=2, c=a) %}<{{ a }},{{ b }},{{ c }}>{% endmacro %}{{ m(1) }}{{ m(1, 5) }}{{ m(c=3, a=9) }}{{ m() }}{{ m(1) | length }}{{ m('x') ~ 'y' }}
{% set g = 'global' %}{% macro m() %}{{ g }}{% set g = 'local' %}{{ n }}{% endmacro %}{% for g in words %}{{ m() }}{% endfor %}{{ g }}
{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(4) }}
{{ list | tojson }} {{ dict | tojson }} {{ s | tojson }} {{ n | tojson }} {{ none | tojson }} {{ t | tojson }} {{ 1e16 | tojson }} {{ '<&>"\\\n\t\x01\x7f é' | tojson }} {{ (1, 2) | tojson }} {{ {} | tojson }} {{ [] | tojson }}
{{ ['it\'s', "q\"q", 'b"\'b', '\n\\\t\x01\x7f\xa0é\u200b😀\ue000'] }} {{ (1,) }} {{ () }} {{ [] }} {{ {} }} {{ {'a': (none, true, 1.0)} }}
{{ '  a b  ' | trim }}|{{ '  a '.strip() }}|{{ '  a '.lstrip() }}|{{ '  a '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xyaxy'.lstrip('yx') }}|{{ 'éaé'.rstrip('é') }}|{{ 'xax' | trim('x') }}|{{ '\n\u3000a\x1c'.strip() }}|{{ 'aaa'.strip('a') }}|
{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a b c'.split(none, 1) }} {{ ''.split(',') }} {{ ''.split() }} {{ 'abc'.split('x') }} {{ 'a--b'.split('--')[-1] }} {{ 'a  b c'.split(none, 0) }} {{ 'aéb'.split('é') }}
{{ s.startswith('hé') }} {{ s.endswith('x') }} {{ s.startswith('') }} {{ s.startswith(('x', 'h')) }} {{ s.endswith(()) }}
{{ 'a-b-c' | replace('-', '_') }} {{ 'aaa'.replace('aa', 'b') }} {{ 'abc' | replace('x', 'y') }} {{ n | replace('3', '4') }}
{{ words | join }} {{ words | join(', ') }} {{ list | join('-') }} {{ 'abc' | join('.') }} {{ dict | join(',') }} {{ x | join }}|
{{ words | first }} {{ words | last }} {{ 'abc' | first }} {{ [] | first }}| {{ dict | first }} {{ words | list }} {{ 'ab' | list }} {{ words | count }}
{{ s | length }} {{ list | length }} {{ n | string }} {{ none | string }} {{ list | string | length }} {{ dict.nested | string }} {{ '<b>' | safe }} {{ 1.0 | string }} {{ true | string }}
{{ x | default('d') }} {{ none | default('d') }} {{ '' | default('d', true) }} {{ x | d }}| {{ s | default('d') }} {{ dict.q | default('q') }}
{{ n is number }}{{ f is number }}{{ t is number }}{{ s is number }}{{ n is integer }}{{ t is integer }}{{ f is float }}{{ t is boolean }}{{ n is boolean }}{{ t is true }}{{ n is true }}{{ false is false }}{{ none is false }}
{{ s is string }}{{ none is none }}{{ list is sequence }}{{ dict is sequence }}{{ n is sequence }}{{ dict is mapping }}{{ list is mapping }}{{ list is iterable }}{{ n is iterable }}{{ none is iterable }}{{ s is iterable }}{{ s is not string }}{{ not s is string }}
{{ messages|length - 1 }} {{ messages[0].role == 'system' }} {{ -1|string }} {{ (messages | length) * 2 }} {{ messages[::-1][0].role }} {{ messages[loop_index - 1] if false else messages[-1].content }}
{{ 'a' 'b' }} {{ "dq\"x" }} {{ 'sq\'x' }} {{ 'tab\there' }} {{ '\u00e9\x41\q' }} {{ 1_000 }} {{ {'a': {'b': 1}}.a.b }} {{ [1, 2,] }} {{ {'a': 1,} }} {{ {'a': {}}}}
{{ ('a' if t) ~ 'b' }} {{ [1] + [2] }} {{ 'ab' * 3 }} {{ 'x' * 0 }} {{ 'x' * -1 }} {{ (1,) + (2,) }}
a {{- ' b ' -}} c {{ 'd' }} e {#- comment -#} f {# comment #} g
{%- if true -%} x {%- else -%} y {%- endif -%} z
{{ loop }}|{{ true }}{{ True }}{{ None }}{{ none }}{{ False }}
{% if n == 1 %}one{% elif n == 3 %}three{% elif n == 3 %}again{% else %}other{% endif %}{% if n == 1 %}one{% elif n == 2 %}two{% else %}other{% endif %}{% if x %}x{% endif %}{% if [] %}x{% endif %}{% if [0] %}y{% endif %}{% if 0.0 %}z{% endif %}{% if '' %}z{% endif %}{% if {} %}z{% endif %}
{{ '{{' }} {{ '}}' }} {{ '%}' }} { { } } {} {a} {{ "{% x %}" }} { % } #} %}
""".strip("\n").split("\n")
C += ["a\n", "a\n\n", "\n a \n", "a\r\nb\rc\r\n", "{% if true %}\nx\n{% endif %}\ny\n", "  {% if true %}  \n  x\n  {% endif %}  \ny", "a  {% if true %}b{% endif %}  \n  c",
 "\t {%+ if true %}x{% endif +%}\ny", "a\n  {# c #}\n  b", "  {{ n }}  \n  {{ n }}\n", "{%- set a = 1 -%}\n\n  {{ a }}", "x  \n\n {%- if true %}\n  y  {%- endif %}  z", "{# a\nb #}\nc", "{% for i in [1,2] %}\n  {{ i }}\n{% endfor %}\nend",
 "{% for i in [1,2] -%}\n  {{ i }}\n{%- endfor %}\nend", "{{ n -}}\n  x {{- n }}", "{{ n -}}\n  {% if true %}y{% endif %}", "{{ '\n' }}x\n{{- '\n' }}", "\u00a0{%- if true %}x{% endif %}", "{% macro m() %}\n  body {{ n }}\n{% endmacro %}\n[{{ m() }}]",
 "{% set v %}\n block\n{% endset %}\n[{{ v }}]", "{#+ x #}\ny", "  {#- x +#}\ny", "{% if true %}{% endif %}   \n  {% if true %}x{% endif %}", "{# one #}  {% if true %}x{% endif %}", "a{#b#}c{##}d", "{{ 'a\nb' }}", "{{ n\n}}{%\nif\ntrue\n%}x{% endif %}",
 "{%if true%}x{%endif%}", "{{n}}{{-n-}} x"]
cases = []
for c in C:
    cases.append([c, env.from_string(c).render(**V)])
# one case per expression of the long lines, so that a failure is easy to read
for c in list(C):
    parts = re.findall(r"\{\{.*?[^}]\}\}(?!\})", c)
    if len(parts) > 4 and "{%" not in c and "\n" not in c:
        for p in parts:
            try: cases.append([p, env.from_string(p).render(**V)])
            except Exception: pass  # a part of a larger expression
seen = set(); out = []
for c in cases:
    if c[0] not in seen: seen.add(c[0]); out.append(c)
print("[\n" + ",\n".join(json.dumps(c, ensure_ascii=True) for c in out) + "\n]")
