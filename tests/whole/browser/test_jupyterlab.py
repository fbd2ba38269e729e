"""The notebooks as a person uses them: JupyterLab in a browser, widgets and all, against the lab."""

from __future__ import annotations

import json

import pytest
from helpers.devtools import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PROMPTS = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(e => e.textContent.trim())"
ENTER, SHIFT = 13, 8
A, CONTROL = 65, 2


def labelled(text: str, selector: str, within: str = "document") -> str:
    """The element among those that match whose own text is this."""
    return (
        f"[...{within}.querySelectorAll({json.dumps(selector)})].find(e => e.textContent.trim() === {json.dumps(text)})"
    )


def cell(source: str) -> str:
    """The code cell that holds this source."""
    return f"[...document.querySelectorAll('.jp-CodeCell')].find(e => e.innerText.includes({json.dumps(source)}))"


def control(field: str) -> str:
    """The control of a form's field."""
    return f"{labelled(field, '.widget-label')}.parentElement.querySelector('input, select, textarea')"


def output(source: str) -> str:
    """What stands under a cell."""
    return f"{cell(source)}.querySelector('.jp-OutputArea').innerText"


def run_all(page: Page, address: str, last: str) -> None:
    """Open a notebook, drop its recorded outputs and run every cell; `last` is in the source of the last one."""
    page.open(address)
    page.wait(f"({cell(last)}) !== undefined")
    page.wait("document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]') !== null")
    choose(page, "Edit", "Clear Outputs of All Cells")
    page.wait(f"{PROMPTS}.every(text => text === '[ ]:')")
    choose(page, "Run", "Run All Cells")
    page.wait(f"{PROMPTS}.every(text => /^\\[\\d+\\]:$/.test(text))")


def choose(page: Page, menu: str, item: str) -> None:
    """Choose an item of JupyterLab's menu."""
    page.click(labelled(menu, ".lm-MenuBar-itemLabel"))
    page.click(labelled(item, ".lm-Menu-itemLabel"))


def test_what_is_typed_and_chosen_in_the_form_is_what_the_next_cell_reads(page: Page, jupyterlab: str) -> None:
    run_all(page, jupyterlab.format("00_start"), "run.reach()")
    assert "As in the params file." in page.value(output("run.check_form"))
    assert page.value(output("run.reach")).count("answers") == 4
    page.click(control("partner_application_identity"))
    page.press("a", A, CONTROL)
    page.type("Exchange-Trial")
    page.click(labelled("policy", ".widget-tab .lm-TabBar-tabLabel"))
    page.value(
        f"(e => {{ e.value = 'hold'; e.dispatchEvent(new Event('change', {{bubbles: true}})) }})({control('restart')})"
    )
    page.click(f"{cell('run.check_form')}.querySelector('.cm-content')")
    page.press("Enter", ENTER, SHIFT)
    page.wait(f"{output('run.check_form')}.includes('Exchange-Trial')")
    read = page.value(output("run.check_form")).split()
    assert "lync.partner_application_identity" in read
    assert [read[read.index("policy.restart") + further] for further in (1, 2)] == ["run_on", "hold"]


def test_findings_are_a_table_and_commands_are_not_taken_for_formulas(page: Page, jupyterlab: str) -> None:
    run_all(page, jupyterlab.format("40_exchange_partner_application"), "run.verdict")
    table = f"{cell('run.judge')}.querySelector('.jp-OutputArea table')"
    assert page.value(f"[...{table}.querySelectorAll('th')].map(e => e.textContent)") == [
        "level",
        "server",
        "finding",
        "details",
    ]
    assert page.value(f"{table}.querySelector('td span').textContent") == "warning"
    assert page.value(f"{table}.querySelector('td').getClientRects()[0].height") < 80
    assert page.value(output("run.plan")).count("-Confirm:$false") > 1
    assert page.value("document.querySelectorAll('mjx-container, .MathJax').length") == 0
