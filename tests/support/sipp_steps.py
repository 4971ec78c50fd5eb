"""Steps of SIPp scenarios as text: a caller (trunk calling us) and a called party (trunk or phone being called).

Keywords a scenario needs are given with `keys`: `rtp_port` always; the others stand in their function's description.
"""

__all__ = [
    "accept", "ack", "answer_bye", "bye", "called_bye", "cancel", "expect", "expect_ack", "expect_bye", "expect_invite",
    "invite", "pause", "reply", "reply_to", "request",
]  # fmt: skip

SDP = """v=0
o=sipp 53655765 [sdp_version] IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [rtp_port] RTP/AVP {formats}
{maps}
a=ptime:20
{direction}"""

MAPS = {"8": "PCMA/8000", "0": "PCMU/8000", "101": "telephone-event/8000", "18": "G729/8000"}


def sdp(formats: str = "8 0 101", direction: str = "sendrecv", version: str = "1") -> str:
    maps = "\n".join(f"a=rtpmap:{kind} {MAPS[kind]}" for kind in formats.split())
    if "101" in formats.split():
        maps += "\na=fmtp:101 0-15"
    return SDP.format(formats=formats, maps=maps, direction=f"a={direction}").replace("[sdp_version]", version)


def _message(lines: str, body: str) -> str:
    kind = "Content-Type: application/sdp\n" if body else ""
    text = f"{lines.strip()}\n{kind}Content-Length: [len]\n\n{body}"
    return "\n".join("      " + line for line in text.splitlines()).rstrip(" ") + ("\n\n" if not body else "\n")


def _send(lines: str, body: str = "", attributes: str = "") -> str:
    return f"  <send {attributes}>\n    <![CDATA[\n{_message(lines, body)}    ]]>\n  </send>"


def _caller_head(method: str, to_tag: str, target: str, branch: str, cseq: str) -> str:
    return f"""{method} {target} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch={branch}
From: <sip:[caller]@[local_ip]:[local_port]>;tag=[pid]S[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{to_tag}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:[caller]@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70"""


TARGET = "sip:[service]@[remote_ip]:[remote_port]"
INVITE_BRANCH = "z9hG4bK[pid]-[call_number]-invite-{}"
"""Named, not counted in steps: ACK of a refusal and CANCEL carry it as well."""


def invite(body: str | None = None, headers: str = "", cseq: int = 1) -> str:
    """Key `caller`: the number that calls. `body` None: a usual offer; `""`: no offer at all."""
    head = _caller_head("INVITE", "", TARGET, INVITE_BRANCH.format(cseq), str(cseq))
    return _send(f"{head}\n{headers}", sdp() if body is None else body, 'retrans="500"')


LOG_RTP = """    <action>
      <ereg regexp="c=IN IP4 ([0-9.]+)" search_in="body" check_it="false" assign_to="c_all,c_host"/>
      <ereg regexp="m=audio ([0-9]+)" search_in="body" check_it="false" assign_to="m_all,m_port"/>
      <log message="rtp=[$c_host]:[$m_port]"/>
    </action>
  </recv>
  <Reference variables="c_all,m_all"/>"""


def expect(status: int, *, optional: bool = False, log_rtp: bool = False, timeout_ms: int | None = None) -> str:
    """A response; a 200 takes over the dialog's routes. `log_rtp` logs where sound is wanted."""
    attributes = f'response="{status}"'
    if optional:
        attributes += ' optional="true"'
    if status == 200:
        attributes += ' rrs="true"'
    if status in (401, 407):
        attributes += ' auth="true"'
    if timeout_ms is not None:
        attributes += f' timeout="{timeout_ms}"'
    return f"  <recv {attributes}>\n{LOG_RTP}" if log_rtp else f"  <recv {attributes}/>"


def ack(cseq: int = 1, *, refused: bool = False) -> str:
    """To a 200 in the dialog; to a refusal in the INVITE's own transaction."""
    target, branch = (TARGET, INVITE_BRANCH.format(cseq)) if refused else ("[next_url]", "[branch]")
    routes = "" if refused else "\n[routes]"
    return _send(_caller_head("ACK", "[peer_tag_param]", target, branch, str(cseq)) + routes)


def request(method: str, cseq: int, body: str = "", headers: str = "") -> str:
    """A request of the caller within its dialog."""
    head = _caller_head(method, "[peer_tag_param]", "[next_url]", "[branch]", str(cseq))
    return _send(f"{head}\n[routes]\n{headers}", body, 'retrans="500"')


def bye(cseq: int = 2) -> str:
    """The caller hangs up and is answered."""
    return request("BYE", cseq) + "\n" + '  <recv response="200"/>'


def cancel() -> str:
    """The caller gives up: the INVITE's branch and number (RFC 3261 section 9.1)."""
    return _send(_caller_head("CANCEL", "", TARGET, INVITE_BRANCH.format(1), "1"), "", 'retrans="500"')


def pause(milliseconds: int) -> str:
    """So long, and no longer than needed: for how long a party speaks or rings, never to wait for the other."""
    return f'  <pause milliseconds="{milliseconds}"/>'


def expect_bye() -> str:
    """The other side hangs up."""
    return '  <recv request="BYE"/>'


def reply(status: int, reason: str, body: str = "", headers: str = "", *, retransmit: bool = False) -> str:
    """A response of the called party, whose tag is made of its number."""
    return _send(
        f"""SIP/2.0 {status} {reason}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]U[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>
{headers}""",
        body,
        'retrans="500"' if retransmit else "",
    )


def reply_to(status: int = 200, reason: str = "OK", body: str = "") -> str:
    """A response within a dialog, where To has its tag already."""
    return _send(
        f"""SIP/2.0 {status} {reason}
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>""",
        body,
    )


def answer_bye() -> str:
    """The other side hangs up and is answered."""
    return expect_bye() + "\n" + reply_to()


def expect_invite(auth: bool = False) -> str:
    """A call comes. Where sound is wanted is logged, and what a BYE of ours will need is kept."""
    extra = "" if not auth else ' auth="true"'
    return f"""  <recv request="INVITE"{extra} rrs="true">
    <action>
      <ereg regexp="c=IN IP4 ([0-9.]+)" search_in="body" check_it="false" assign_to="c_all,c_host"/>
      <ereg regexp="m=audio ([0-9]+)" search_in="body" check_it="false" assign_to="m_all,m_port"/>
      <ereg regexp=".*" search_in="hdr" header="From:" assign_to="their_from"/>
      <ereg regexp=".*" search_in="hdr" header="To:" assign_to="our_to"/>
      <ereg regexp="&lt;(.*)&gt;" search_in="hdr" header="Contact:" assign_to="u_all,their_contact"/>
      <log message="rtp=[$c_host]:[$m_port]"/>
      <log message="invite from=[$their_from] to=[$our_to]"/>
    </action>
  </recv>
  <Reference variables="c_all,m_all,u_all,their_contact"/>"""


def accept(body: str | None = None) -> str:
    """200 with a description, and the ACK."""
    return reply(200, "OK", sdp("8 101") if body is None else body, retransmit=True) + "\n" + expect_ack()


def expect_ack() -> str:
    """The ACK of our final answer."""
    return '  <recv request="ACK"/>'


def called_bye() -> str:
    """The called party hangs up: From and To change places (RFC 3261 section 12.2.1.1)."""
    return (
        _send(
            """BYE [$their_contact] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=[branch]
From:[$our_to];tag=[pid]U[call_number]
To:[$their_from]
Call-ID: [call_id]
CSeq: 1 BYE
Max-Forwards: 70""",
            "",
            'retrans="500"',
        )
        + "\n"
        + '  <recv response="200"/>'
    )
