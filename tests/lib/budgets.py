#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what is over budget: functions, files, headers, nesting.

Reads C by braces, strings and comments taken out; Kernel style, held by clang-format, makes that
enough: a function's body opens with a brace in column 0.
"""
import re
import sys

FUNCTION, FILE, HEADER, NESTING, COLUMNS = 60, 500, 150, 3, 100
TAB = 8
# Contracts that are one thing, and are read in one go; each says why it is longer.
LONGER = {
    'agent/dp/dp.h': 345,   # one struct of functions, each with its contract
}
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(match):
    """Same lines, same columns, nothing in them."""
    return re.sub(r'[^\n\t]', ' ', match.group())


def functions(lines):
    """(name, first line, lines from it to the closing brace, deepest nesting)."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith('{') and number > 1:
            head = number - 1
            while head > 1 and lines[head - 1][:1].isspace():
                head -= 1
            name = re.search(r'(\w+)\s*\(', lines[head - 1])
            start, depth, deepest = (name.group(1) if name else '?', head), 0, 0
            # A body that declares a type is no function.
            if not name:
                start = None
        if start:
            for char in line:
                depth += (char == '{') - (char == '}')
                deepest = max(deepest, depth)
            if depth == 0:
                yield start[0], start[1], number - start[1] + 1, nesting(lines, start[1], number)
                start = None


def nesting(lines, first, last):
    """Blocks within blocks: by braces, those of a switch's cases and of initializers apart."""
    depth, deepest, kinds = 0, 0, []
    text = '\n'.join(lines[first - 1:last])
    for match in re.finditer(r'[{}]', text):
        if match.group() == '}':
            depth -= kinds.pop() if kinds else 0
            continue
        before = text[:match.start()].rstrip()
        # A block's brace follows ')' or a word; an initializer's '=', '(', ',', '{' or a cast.
        block = re.search(r'(\)|\belse|\bdo|;|}|:)$', before) and not re.search(
            r'\((const )?(struct|union|enum) \w+(\s*\*)*(\[\w*\])?\)$', before)
        kinds.append(1 if block else 0)
        depth += kinds[-1]
        deepest = max(deepest, depth)
    return deepest - 1


def offences(path, text):
    count = text.count('\n')
    # Headers of bpf/ hold the code of the programs, which are compiled in one piece.
    is_header = path.endswith('.h') and not path.startswith('bpf/')
    limit = LONGER.get(path) or (HEADER if is_header else FILE)
    if count > limit:
        yield f'{path}: {count} lines, at most {limit}'
    lines = text.split('\n')
    if not path.endswith(('.c', '.h')):  # columns of C are clang-format's
        for number, line in enumerate(lines, 1):
            if len(line.expandtabs(TAB)) > COLUMNS:
                yield f'{path}:{number}: {len(line.expandtabs(TAB))} columns, at most {COLUMNS}'
        return
    for name, first, length, deep in functions(NOISE.sub(blank, text).split('\n')):
        if length > FUNCTION:
            yield f'{path}:{first}: {name}() has {length} lines, at most {FUNCTION}'
        if deep > NESTING:
            yield f'{path}:{first}: {name}() nests {deep} deep, at most {NESTING}'


def self_test():
    """Each budget, met and then broken by one."""
    def function(body):
        return '/* {{{ */\nstatic int f(int x)\n{\n' + body + '}\n'

    nest = lambda n: ''.join('\t' * i + 'if (x) {\n' for i in range(1, n + 1)) + '}\n' * n
    fine = [('a.c', function('\tx++;\n' * 57)), ('a.c', 'int x;\n' * 500),
            ('a.h', 'int x;\n' * 150), ('a.c', function(nest(3))), ('a.sh', 'x' * 100),
            ('a.c', function('\tchar *s = "{{{{{{";\n\tstruct a b = { { { { 0 } } } };\n'))]
    wrong = [('a.c', function('\tx++;\n' * 58)), ('a.c', 'int x;\n' * 501),
             ('a.h', 'int x;\n' * 151), ('a.c', function(nest(4))), ('a.sh', '\t' + 'x' * 93)]
    return [(not list(offences(*case)), 'refused what is within budget') for case in fine] + \
        [(len(list(offences(*case))) == 1, f'missed: {case[0]}, {case[1][:20]!r}..')
         for case in wrong]


def main(paths):
    results = self_test()
    for path in paths:
        with open(path, encoding='utf-8') as file:
            found = list(offences(path, file.read()))
        results.append((not found, '\nFAIL: '.join(found)))
    for fine, why in results:
        if not fine:
            print('FAIL:', why, file=sys.stderr)
    failed = sum(not fine for fine, _ in results)
    print(f'{len(results) - failed} passed, {failed} failed')
    return 1 if failed or len(results) < 2 else 0


sys.exit(main(sys.argv[1:]))
