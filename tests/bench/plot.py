# SPDX-License-Identifier: Apache-2.0
"""Bar charts as SVG: one a group of figures."""
from html import escape

WIDTH, BAR, LEFT, TOP = 860, 22, 300, 60
OURS, THEIRS, TARGET = "#2a6fb0", "#b9c2cc", "#c0392b"


def bar(y, label, value, text, largest, color):
    room = WIDTH - LEFT - 130
    long = max(1.0, room * value / largest)
    return (f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{long:.1f}" height="{BAR - 4}" fill="{color}"/>'
            f'<text x="{LEFT + long + 6:.1f}" y="{y + 15}">{escape(text)}</text>')


def chart(title, figures):
    """Each figure: a bar of ours, one of what it stands against, and the ratio with its target."""
    largest = {}  # by unit: bars of different units do not compare
    for f in figures:
        largest[f.unit] = max(largest.get(f.unit, 0), f.value, f.against_value)
    parts, y = [], TOP
    for f in figures:
        bound = (f"{f.ratio:.2f}" + (f", wanted >= {f.at_least}" if f.at_least else "")
                 + (f", wanted <= {f.at_most}" if f.at_most else ""))
        color = "#333" if f.met() else TARGET
        parts.append(f'<text x="{LEFT}" y="{y + 12}" font-weight="bold" fill="{color}">'
                     f'{escape(f.id)}: ratio {escape(bound)}</text>')
        parts.append(bar(y + BAR, "nved", f.value, f"{f.value:.3g} {f.unit}", largest[f.unit],
                         OURS))
        parts.append(bar(y + 2 * BAR, f.against, f.against_value,
                         f"{f.against_value:.3g} {f.unit}",
                         largest[f.unit], THEIRS))
        y += 3 * BAR + 14
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 10}" '
            f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" '
            f'fill="white"/><text x="20" y="30" font-size="18">{escape(title)}</text>'
            + "".join(parts) + "</svg>\n")
