"""A picture of closed loops (SVG): throughput, time to the first token, time per token, over users."""
import math

WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 190, 58, 62, 36
COLOURS = ("a", "b")
STYLE = """
text{font:12px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;fill:#565d59}
.title{font-weight:600;font-size:14px;fill:#1a1d1b}.grid{stroke:#e1e3dd}.paper{fill:#fff}
.a{stroke:#0f6e5d}.b{stroke:#b8651b}.line{fill:none;stroke-width:2.2;stroke-linejoin:round}
.dash{stroke-width:1.4;stroke-dasharray:3 3}.dot.a,.key.a,.band.a{fill:#0f6e5d}.dot.b,.key.b,.band.b{fill:#b8651b}
.band{opacity:.11;stroke:none}.dot,.key{stroke:none}
@media(prefers-color-scheme:dark){text{fill:#a7afaa}.title{fill:#e6e9e7}.grid{stroke:#282e2b}.paper{fill:#131615}
.a{stroke:#5cc4aa}.b{stroke:#e09a52}.dot.a,.key.a,.band.a{fill:#5cc4aa}.dot.b,.key.b,.band.b{fill:#e09a52}}
"""


def nice_ceiling(value: float) -> float:
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1
    return next(m * power for m in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10) if m * power >= value * 0.999)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def panel(out: list, x0: float, title: str, unit: str, groups: list, users: list) -> None:
    """`groups`: per line [(users, middle, upper or None)]."""
    top = nice_ceiling(max((v for g in groups for _, m, u in g for v in (m, u) if v), default=1))
    x = lambda n: x0 + WIDTH * (users.index(n) + .5) / len(users)
    y = lambda v: TOP + HEIGHT * (1 - v / top)
    out.append(f'<text class="title" x="{x0}" y="{TOP - 30}">{title}</text>'
               f'<text x="{x0}" y="{TOP - 13}">{unit}</text>')
    for part in range(5):
        at = TOP + HEIGHT * part / 4
        out.append(f'<line class="grid" x1="{x0}" x2="{x0 + WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>'
                   f'<text x="{x0 - 6}" y="{at + 4:.1f}" text-anchor="end">{number(top * (4 - part) / 4)}</text>')
    for n in users:
        out.append(f'<text x="{x(n):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{n}</text>')
    for colour, group in zip(COLOURS, groups):
        line = " ".join(f"{x(n):.1f},{y(m):.1f}" for n, m, _ in group)
        if group and group[0][2] is not None:
            upper = " ".join(f"{x(n):.1f},{y(u):.1f}" for n, _, u in group)
            back = " ".join(f"{x(n):.1f},{y(m):.1f}" for n, m, _ in reversed(group))
            out.append(f'<polygon class="band {colour}" points="{upper} {back}"/>'
                       f'<polyline class="line dash {colour}" points="{upper}"/>')
        out.append(f'<polyline class="line {colour}" points="{line}"/>')
        out += [f'<circle class="dot {colour}" r="3.4" cx="{x(n):.1f}" cy="{y(m):.1f}"/>' for n, m, _ in group]


def write_plot(path: str, results: list) -> None:
    kinds = sorted({r["shared"] for r in results})[:2]
    users = sorted({r["users"] for r in results})
    of = lambda kind: sorted((r for r in results if r["shared"] == kind and r["requests"]), key=lambda r: r["users"])
    pairs = lambda field: [[(r["users"], *(1000 * v for v in r[field])) for r in of(k) if r[field][1] is not None]
                           for k in kinds]
    out = []
    panels = [("Throughput", "generated tokens per second", [[(r["users"], r["generated_per_s"], None) for r in of(k)] for k in kinds]),
              ("First token", "ms: median, dashed 95th percentile", pairs("first_token_s")),
              ("Time per token", "ms: median, dashed 95th percentile", pairs("per_token_s"))]
    for i, (title, unit, groups) in enumerate(panels):
        panel(out, LEFT + i * (WIDTH + LEFT + GAP), title, unit, groups, users)
    width, height = 3 * (WIDTH + LEFT) + 2 * GAP + 16, TOP + HEIGHT + 62
    at = LEFT
    for colour, kind in zip(COLOURS, kinds):
        name = f"prompts share their first {kind} tokens" if kind else "every prompt is new"
        out.append(f'<rect class="key {colour}" x="{at}" y="{height - 23}" width="11" height="11" rx="2"/>'
                   f'<text x="{at + 17}" y="{height - 13}">{name}</text>')
        at += 250
    out.append(f'<text x="{width - 16}" y="{height - 13}" text-anchor="end">users at the same time</text>')
    with open(path, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
                   f'role="img" aria-label="Throughput, time to the first token and time per token over the number of users">'
                   f'<style>{STYLE}</style><rect class="paper" width="{width}" height="{height}" rx="8"/>{"".join(out)}</svg>\n')
