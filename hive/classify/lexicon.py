"""Phrases by what they usually tell of an issue, in the spelling of `features.words`. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

LONGEST_PHRASE = 5

_PHRASES = {
    "fault": """
        bug, bugs, buggy, crash, crashes, crashed, crashing, freeze, freezes, frozen, hang, hangs, hung, hanging, segfault,
        segmentation fault, deadlock, leak, leaks, corrupt, corrupted, corruption, broken, breaks, broke, breaking, fail, fails,
        failed, failing, failure, error, errors, exception, exceptions, throws, thrown, traceback, stack trace, stacktrace, panic,
        panics, assertion, regression, incorrect, incorrectly, wrong, wrongly, invalid, unexpected, unexpectedly, malformed,
        undefined, null pointer, nan, infinite loop, endless loop, infinite, glitch, flicker, flickers, flickering, disappear,
        disappears, disappeared, vanishes, ignored, ignores, stuck, blank, lost, loses, overflow, overflows, overlap, overlaps,
        misaligned, cut off, truncated, garbled, inconsistent, mismatch, conflict, conflicts, warning, warnings, fatal, abort,
        aborts, aborted, dies, killed, race condition, memory leak, out of memory, oom, timeout, times out, timed out, slow,
        very slow, too slow, high cpu, not found, missing, nothing happens, no effect, has no effect, fault, faulty, defect, issue,
        problem, problems, bad, ugly, weird, strange, odd, messed up, mess, duplicated, twice, wont load, white screen,
        black screen, blue screen, breaks on, fails on, fails to, fails with, failed to, failure when, error when, crash when,
        crashes when, crash on, crashes on, error in, bug in, uncaught, unhandled, typeerror, valueerror, keyerror,
        attributeerror, importerror, runtimeerror, nullpointerexception, valgrind, sigsegv, sigabrt, core dumped
    """,
    "denied": """
        doesnt work, does not work, dont work, do not work, didnt work, not working, isnt working, is not working, stopped working,
        stops working, no longer, no longer works, cant, cannot, can not, couldnt, could not, unable to, wont, will not, isnt,
        is not, doesnt, does not, didnt, did not, dont, not showing, not shown, not displayed, not displaying, not visible,
        not updated, not updating, not loading, not recognized, not detected, not respected, not saved, not correctly,
        not properly, never, not being, arent, are not, wasnt, was not, not able to, not allowed, not possible, without any,
        not rendering, not rendered, not opening, not responding, not compatible, not supported, doesnt show, does not show
    """,
    "report": """
        steps to reproduce, to reproduce, reproduce, reproduced, reproducible, reproduction, repro, repro steps, expected behavior,
        expected behaviour, actual behavior, actual behaviour, expected result, expected results, actual result, actual results,
        current behavior, current behaviour, what happened, what actually happened, expected, actual, instead, instead of,
        should be, should not, shouldnt, i expected, i get, i got, it shows, it says, after update, after updating,
        after upgrade, after upgrading, since update, since version, since upgrading, used to work, worked before, works fine,
        works in, still happens, happens when, it happens, every time, sometimes, randomly, occasionally, occurs, logcat, log,
        logs, version, os version, device, environment, system information, browser, affected, workaround, screenshot,
        screenshots, in the latest version, latest version, previous version, debug, bisect, minimal example, see error, observe,
        notice, i noticed, seems, seems like, looks like, apparently, the problem is, the issue is, root cause, caused by,
        when i, when trying, when using, when running, if i, as soon as, extensions disabled
    """,
    "wish": """
        feature, features, feature request, feature proposal, enhancement, enhancements, improvement, improvements, improve,
        improving, add, adding, support, support for, supporting, allow, allows, allowing, ability to, ability, option, option to,
        an option, options, setting to, would be nice, would be great, would be good, would be cool, would be awesome,
        would be helpful, would be useful, would be better, be nice, nice to have, it would be, would love, id love, would help,
        could be, please add, please support, please allow, i would like, id like, would like, wed like, we should, we could,
        we need, could we, can we, consider, considering, proposal, propose, proposed, proposing, suggest, suggestion, suggestions,
        suggesting, idea, ideas, wish, wishlist, wish list, use case, use cases, usecase, make it possible, possibility,
        possibility to, should support, should allow, should have, should also, should provide, should include, needs to, allow users,
        users can, user can, users could, as a user, so that, alternatives, implement, implementing, implementation of, introduce,
        provide, enable, expose, extend, integrate, integration, customize, customizable, configurable, configure, custom, new,
        more, better, easier, convenient, useful, helpful, great, nice, cool, currently there is no, there is no way, no way to,
        lack, lacks, lacking, missing feature, motivation, benefit, benefits, convert, refactor, refactoring, cleanup, clean up,
        migrate, migration, replace, rename, update to, upgrade to, remove, deprecate, switch to, move to, todo, roadmap, optional,
        optionally, automatically, auto, dark mode, dark theme, shortcut, hotkey, button to, export, import, filter, sort,
        translation, localization, performance, optimize, optimization, speed up, simplify, redesign, rework, design, ui, ux, api,
        create, make, show, display, include, use, change, set, extend the, rfc, tracking, umbrella, allow to, add support,
        add support for, add option, add an option, add a, add ability, implement the, describe the solution, solution youd like
    """,
    "ask": """
        how to, how do, how do i, how can, how can i, how does, how should, how is, how are, how, why, why is, why does, why do,
        what, what is, what are, what does, what do, which, is there, is there a, is there a way, is there any, are there,
        is it possible, possible to, can i, can you, can someone, could you, could someone, could anyone, anyone, does anyone,
        has anyone, do you, does it, does this, do we, is this, is it, are you, was wondering, wondering, wondering if, i wonder,
        question, questions, question about, a question, quick question, help, need help, please help, help me, any help,
        appreciated, curious, understand, understanding, dont understand, confused, confusing, confusion, clarify, clarification,
        explain, explanation, explained, any idea, any ideas, any suggestions, any way, any advice, advice, guidance, am i,
        am i doing, am i missing, what am i, doing wrong, i dont know, not sure, unsure, im trying, i am trying, trying to,
        i want to, i want, i need, im using, i am using, im new, new to, newbie, beginner, thanks in advance, thanks, thank you,
        hi, hello, hey, dear, hi there, hello everyone, best way, best practice, correct way, right way, proper way, recommended,
        recommend, recommendation, stackoverflow, stack overflow, forum, discord, where, where can, where is, where do,
        when will, who, difference, difference between, should i, do i need, do i have, what should, supposed to, any plans,
        plans to, plan to, eta, tutorial, example of, an example, examples, sample, is that, would it, will it, whether,
        let me know, please tell, tell me, someone, somebody, support question, discussion, feedback, inquiry, license, licensing,
        interested in, possible, understand how, understand why, know how, know if, know why, find out, figure out
    """,
    "docs": """
        documentation, docs, doc, document, documented, documenting, undocumented, readme, docstring, docstrings, tutorial,
        tutorials, guide, wiki, manual, javadoc, typo, typos, spelling, misspelled, grammar, broken link, broken links, dead link,
        api reference, changelog, contributing, faq, website, docs page, in the docs, the documentation, outdated, wording, man page,
        documentation for, example in the, code sample, reference page, getting started, installation instructions, paragraph,
        documentation issue, docs issue, doc issue, not documented, sphinx, quickstart, cookbook
    """,
}

GROUPS: dict[str, str] = {
    " ".join(phrase.split()): group
    for group, phrases in _PHRASES.items()
    for phrase in phrases.replace("\n", " ").split(",")
}
"""The group of each phrase."""

_LENGTHS: dict[str, int] = {}
for _phrase in GROUPS:
    _first, _, _ = _phrase.partition(" ")
    _LENGTHS[_first] = max(_LENGTHS.get(_first, 1), _phrase.count(" ") + 1)


def groups(words: Sequence[str]) -> Counter[str]:
    """How many phrases of each group there are; of two at one place the longer one counts."""
    found: Counter[str] = Counter()
    at = 0
    while at < len(words):
        longest = _LENGTHS.get(words[at], 0)
        for length in range(longest, 0, -1):
            group = GROUPS.get(" ".join(words[at : at + length]))
            if group is not None:
                found[group] += 1
                at += length - 1
                break
        at += 1
    return found
