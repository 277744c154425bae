"""Who may read the web page, and under which names a browser may ask for it."""

import pytest

from sparkscore.ui.access_rules import make_access_rules

EVERYWHERE = "0.0.0.0"  # noqa: S104
TOKEN = "a-token-of-a-test-that-is-long"


@pytest.mark.parametrize("header", ["127.0.0.1:8470", "localhost", "LOCALHOST:9", "[::1]:8470", "localhost."])
def test_a_server_of_this_machine_goes_by_the_names_of_the_loopback(header: str) -> None:
    assert make_access_rules("127.0.0.1", 8470, token=None).is_known_host(header)


@pytest.mark.parametrize(
    "header", ["evil.example", "localhost.evil.example", "10.0.0.1", "", "a b", "localhost:x", "user@localhost", "["]
)
def test_another_name_is_refused_whoever_made_it_lead_here(header: str) -> None:
    assert not make_access_rules("127.0.0.1", 8470, token=None).is_known_host(header)


def test_a_server_of_all_addresses_goes_by_any_address_and_by_the_names_of_its_machine() -> None:
    rules = make_access_rules(EVERYWHERE, 8470, token=TOKEN, own_names={"Node1"}, allowed=["scores.example.com"])
    assert all(rules.is_known_host(name) for name in ("10.1.2.3:8470", "[fe80::1]", "node1:8470", "scores.example.com"))
    assert not rules.is_known_host("evil.example")


def test_the_cookie_of_a_sign_in_reads_and_does_not_hold_the_token() -> None:
    rules = make_access_rules(EVERYWHERE, 8470, token=TOKEN)
    assert TOKEN not in rules.cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in rules.cookie.split(";")}
    assert rules.may_read(cookies=rules.cookie.partition(";")[0], authorization="")


@pytest.mark.parametrize("other", ['theme={"dark": true}', "a b", "a,b=1", "ä=1", "_xsrf=2|x; [a]=1", "=", ";;"])
def test_the_cookies_of_other_servers_of_the_host_do_not_hide_ours(other: str) -> None:
    rules = make_access_rules(EVERYWHERE, 8470, token=TOKEN)
    own = rules.cookie.partition(";")[0]
    assert rules.may_read(cookies=f"{other}; {own}", authorization="")
    assert rules.may_read(cookies=f"{own}; {other}", authorization="")


@pytest.mark.parametrize(
    ("cookies", "authorization"),
    [
        ("", ""),
        ("sparkscore_ui_8470=", ""),
        (f"sparkscore_ui_8470={TOKEN}", ""),
        ("sparkscore_ui_8470=0123", ""),
        ('a="', ""),
        ("", f"Basic {TOKEN}"),
        ("", "Bearer "),
        ("", "Bearer é"),
    ],
)
def test_nothing_else_reads(cookies: str, authorization: str) -> None:
    assert not make_access_rules(EVERYWHERE, 8470, token=TOKEN).may_read(cookies=cookies, authorization=authorization)


def test_a_script_may_send_the_token_itself() -> None:
    assert make_access_rules(EVERYWHERE, 8470, token=TOKEN).may_read(cookies="", authorization=f"Bearer {TOKEN}")


def test_the_cookie_of_another_server_of_this_machine_is_another_one() -> None:
    first, second = (make_access_rules(EVERYWHERE, port, token=TOKEN) for port in (8470, 8471))
    assert not second.may_read(cookies=first.cookie.partition(";")[0], authorization="")
