"""The streaming resolver against one that sees every cell of a stream at once, on 10,000 random small streams."""

from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.decision.windows import Fate, Mode, SortRule, Timing, WindowResolver
from streamer.decision.windows import _resolver as resolver_module

NO_DEADLINE = 2**63 - 1
EXAMPLES, STREAMS = 200, 50


def brute_force(rules, trigger, way):
    """Return the fate of every cell from all triggers and verdicts, in O(n²) and from the definitions alone."""
    fates = []
    for i, t in enumerate(trigger):
        if way[i] == 0:
            fates.append(Fate.UNWANTED)
            continue
        rule = rules[way[i] - 1]
        inside = [j for j, u in enumerate(trigger) if j != i and t - rule.leading_ns <= u <= t + rule.trailing_ns]
        allowed = {
            Mode.YIELD: True,
            Mode.PURITY: all(way[j] == way[i] for j in inside),
            Mode.SINGLE: not inside,
        }[rule.mode]
        fates.append(Fate.KEEP if allowed else Fate.COINCIDENT)
    return fates


class Stream:
    """A random small stream: times are small integers, so that cells fall on each other and on edges of windows."""

    def __init__(self, rng, *, deadlines):
        n = int(rng.integers(1, 14))
        reorder = int(rng.integers(0, 8))
        # Whoever arrives within the reorder span keeps the promise to the stream and that to the clock.
        self.timing = Timing(reorder, reorder, margin_ns=int(rng.integers(0, 3)), ahead_ns=int(rng.integers(0, 4)))
        self.rules = [
            SortRule(list(Mode)[rng.integers(3)], int(rng.integers(0, 7)), int(rng.integers(0, 7)))
            for _ in range(rng.integers(1, 4))
        ]
        self.trigger = np.sort(rng.integers(0, rng.integers(5, 60), n))
        self.way = rng.integers(0, len(self.rules) + 1, n)
        self.arrival = self.trigger + rng.integers(0, reorder + 1, n)
        self.verdict = self.arrival + rng.integers(0, 20, n)
        after = rng.integers(8, 40) if deadlines else None
        self.deadline = self.trigger + after if deadlines else np.full(n, NO_DEADLINE)
        self.in_order = rng.random() < 0.3
        self.rng = rng

    def play(self):
        """Feed the stream moment by moment; return `[(now, seq, way, fate)]` and the resolver."""
        resolver = WindowResolver(self.rules, self.timing, in_order=self.in_order)
        out = []
        moments = {*self.arrival.tolist(), *self.verdict.tolist()}
        for now in range(int(self.verdict.max()) + 2):
            if now in moments:
                out += [(now, *row) for row in self.feed(resolver, now)]
            due = resolver.next_due_ns()
            if (due is not None and now >= due) or (now in moments and self.rng.random() < 0.7):
                out += [(now, *row) for row in self.resolve(resolver, now)]
        out += [(now, *row) for row in self.resolve(resolver, now)]
        resolver.close()
        out += [(now, *row) for row in self.resolve(resolver, now)]
        return out, resolver

    def feed(self, resolver, now):
        out = []
        for tell, times in ((resolver.arrive, self.arrival), (resolver.verdict, self.verdict)):
            cells = self.rng.permutation(np.flatnonzero(times == now))
            for part in np.array_split(cells, self.rng.integers(1, 3)):
                seq = part.astype(np.uint64)
                if tell == resolver.arrive:
                    tell(seq, self.trigger[part], self.deadline[part])
                else:
                    tell(seq, self.way[part].astype(np.uint8))
                if self.rng.random() < 0.3:
                    # While some cells of this very moment are still to come.
                    out += self.resolve(resolver, now)
        return out

    def resolve(self, resolver, now):
        # One by one or all at once: both ways of judging must agree with brute force.
        with patch.object(resolver_module, "FEW", int(self.rng.choice([0, 12]))):
            seq, way, fate = resolver.resolve(now)
        return list(zip(seq.tolist(), way.tolist(), fate.tolist(), strict=True))


seeds = given(st.integers(0, 2**32 - 1))
many = settings(derandomize=True, deadline=None, max_examples=EXAMPLES)


@many
@seeds
def test_without_deadlines_it_agrees_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    for _ in range(STREAMS):
        stream = Stream(rng, deadlines=False)
        out, resolver = stream.play()
        assert sorted(seq for _, seq, _, _ in out) == list(range(len(stream.trigger)))
        expected = brute_force(stream.rules, stream.trigger.tolist(), stream.way.tolist())
        assert {seq: fate for _, seq, _, fate in out} == dict(enumerate(expected))
        assert all(way == stream.way[seq] for _, seq, way, _ in out)
        assert len(resolver) == resolver.stragglers == 0
        assert resolver.next_due_ns() is None
        check_order(stream, out)


@settings(many, max_examples=EXAMPLES // 2)
@seeds
def test_a_deadline_never_keeps_a_cell_against_the_rules(seed):
    rng = np.random.default_rng(seed)
    for _ in range(STREAMS):
        stream = Stream(rng, deadlines=True)
        out, resolver = stream.play()
        truth = brute_force(stream.rules, stream.trigger.tolist(), stream.way.tolist())
        assert sorted(seq for _, seq, _, _ in out) == list(range(len(stream.trigger)))
        assert len(resolver) == 0
        check_order(stream, out)
        for now, seq, way, fate in out:
            last_moment = stream.deadline[seq] - stream.timing.margin_ns
            assert (fate == Fate.UNWANTED) == (way == 0) == (truth[seq] == Fate.UNWANTED)
            if fate == Fate.KEEP:
                # Never against the rules, not even by what only became known later, and never late.
                assert truth[seq] == Fate.KEEP
                assert now <= last_moment
            elif fate == Fate.LATE:
                assert stream.in_order or now > last_moment
            elif fate == Fate.COINCIDENT and now < last_moment - stream.timing.ahead_ns:
                assert truth[seq] == Fate.COINCIDENT


def check_order(stream, out):
    for way in range(1, len(stream.rules) + 1):
        kept = [seq for _, seq, its, fate in out if its == way and fate == Fate.KEEP]
        assert not stream.in_order or kept == sorted(kept)
