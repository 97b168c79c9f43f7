"""Which passes to combine: what passes ask for first, then whatever lies next to the fastest.

A chain is a tuple of passes' names, in the order in which they are applied. Plain functions: they
know of a pass its name, `slots`, `after` and `first_on`, and of a tried chain its speed-up.
"""

import itertools
import math

# What a pass changes, in the order in which passes are applied. Of some a chain has only one.
SLOTS = ["model", "precision", "layout", "run", "graph"]
ONE_OF = {"precision", "run", "graph"}

# Chains that are tried at once after the first ones: each is chosen by what came of those before.
ROUND = 3

# What a change is worth that nobody has seen the worth of: a little, so that it gets its turn. One
# that loses as much by what was seen gets it, too, since it was seen with other passes.
HOPE = math.log(1.1)


def first(usable, device):
    """Returns each pass alone, then the combinations that passes ask for: everyone's first, ...

    `usable` maps names to passes; `device` is the kind of it, "cpu" or "cuda".
    """
    begins = [x for x in usable.values() if device in x.first_on] or [*usable.values()]
    result = [(x.name,) for x in begins]
    rounds = max((len(x.after) for x in begins), default=0)
    for i in range(rounds):
        for last in begins:
            names = last.after[i] if i < len(last.after) else ["?"]
            chain = [x.removesuffix("?") for x in names if not x.endswith("?") or x[:-1] in usable]
            chain = (*chain, last.name)
            if len(chain) > 1 and is_sound(chain, usable):
                result.append(chain)
    return list(dict.fromkeys(result))


def following(usable, tried):
    """Returns chains that differ by one pass from the fastest that was tried, and that by what is
    known are hardly slower: the most promising first.

    `tried` maps chains to speed-ups over the unchanged model, 0 for those that were not correct.
    """
    best = max(tried, key=tried.get, default=())
    if tried.get(best, 0) < 1:
        best = ()
    gains = {name: gain(name, tried) for name in usable}
    expected = {without(best, name): -(gains[name] or 0) for name in best}
    for name in usable:
        if name in best or fails(name, tried):
            continue
        given_up = [x for x in best if excludes(usable[name], usable[x])]
        known = [gains[x] for x in (name, *given_up)]
        chain = in_order([x for x in best if x not in given_up] + [name], usable)
        expected[chain] = HOPE if None in known else known[0] - sum(known[1:])
    new = [x for x, more in expected.items() if x and x not in tried and more > -HOPE]
    return sorted(new, key=lambda x: -expected[x])


def gain(name, tried):
    """Returns the mean logarithm of what the pass has brought where it was the only difference;
    None where nobody has seen that."""
    found = [
        math.log(speed / before)
        for chain, speed in tried.items()
        if name in chain and speed > 0 and (before := tried.get(without(chain, name), 0)) > 0
    ]
    if tried.get((name,), 0) > 0:
        found.append(math.log(tried[(name,)]))
    return sum(found) / len(found) if found else None


def fails(name, tried):
    """Says whether nothing was correct where the pass alone can be to blame."""
    speeds = [
        speed
        for chain, speed in tried.items()
        if name in chain and (len(chain) == 1 or tried.get(without(chain, name), 0) > 0)
    ]
    return bool(speeds) and max(speeds) == 0


def is_sound(chain, usable):
    """Says whether all of its passes apply, none twice, and none where another has to be alone."""
    pairs = itertools.combinations(chain, 2)
    return all(x in usable for x in chain) and not any(
        x == y or excludes(usable[x], usable[y]) for x, y in pairs
    )


def excludes(one, other):
    return bool(ONE_OF & set(one.slots) & set(other.slots))


def without(chain, name):
    return tuple(x for x in chain if x != name)


def in_order(names, usable):
    place = {name: i for i, name in enumerate(usable)}
    return tuple(sorted(names, key=lambda x: (SLOTS.index(usable[x].slots[0]), place[x])))
