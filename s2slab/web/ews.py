"""Exchange Web Services of a mailbox server: the few operations that prove a mailbox can be written to."""

from __future__ import annotations

import uuid
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from s2slab.estate.estate import Estate, Mailbox
from s2slab.estate.transitions import Cause
from s2slab.network.site import Reply
from s2slab.web.soap import CONTENT_TYPE, MESSAGES, TYPES, NotSoap, envelope, fault, local_name, operation

EWS_PATH = "/ews/exchange.asmx"
FOLDERS = {
    # distinguished folder ids of Exchange 2013 -> the folders of a lab mailbox
    "conversationhistory": "ConversationHistory",
    "inbox": "Inbox",
    "recoverableitemspurges": "Dumpster",
}


def answer(estate: Estate, mailbox: Mailbox, body: bytes, cause: Cause) -> Reply:
    """Carry out CreateItem, DeleteItem, FindItem or GetFolder on a mailbox, on behalf of `cause`."""
    try:
        request = operation(body)
    except NotSoap:
        return Reply(500, fault("s:Client", "The request failed schema validation."), CONTENT_TYPE)
    name = local_name(request)
    perform = {"CreateItem": _create, "DeleteItem": _delete, "FindItem": _find, "GetFolder": _get_folder}.get(name)
    if perform is None:
        return Reply(500, fault("s:Client", "The operation is not supported."), CONTENT_TYPE)
    with estate.acting(cause):
        try:
            response_class, code, content = "Success", "NoError", perform(estate, mailbox, request)
        except _EwsError as error:
            response_class, code, content = "Error", error.code, ""
            text = f"<m:MessageText>{escape(str(error))}</m:MessageText>"
        else:
            text = ""
    return Reply(
        200,
        envelope(
            f"<m:{name}Response><m:ResponseMessages>"
            f'<m:{name}ResponseMessage ResponseClass="{response_class}">{text}<m:ResponseCode>{code}</m:ResponseCode>'
            f"{content}</m:{name}ResponseMessage></m:ResponseMessages></m:{name}Response>",
            header='<t:ServerVersionInfo MajorVersion="15" MinorVersion="0" Version="V2_23"/>',
        ),
        CONTENT_TYPE,
    )


class _EwsError(Exception):
    """An operation that failed, with its response code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def _folder(mailbox: Mailbox, request: Element) -> tuple[str, list[dict[str, Any]]]:
    node = next(request.iter(f"{{{TYPES}}}DistinguishedFolderId"), None)
    name = FOLDERS.get("" if node is None else node.get("Id", ""), "")
    if name not in mailbox.folders:
        raise _EwsError("ErrorFolderNotFound", "The specified folder could not be found in the store.")
    return name, mailbox.folders[name]


def _create(estate: Estate, mailbox: Mailbox, request: Element) -> str:
    name, items = _folder(mailbox, request)
    item = {
        "Id": str(uuid.UUID(int=estate.random.getrandbits(128), version=4)),
        "ItemClass": request.findtext(f".//{{{TYPES}}}ItemClass", "IPM.Note"),
        "Subject": request.findtext(f".//{{{TYPES}}}Subject", ""),
        "Created": estate.now(),
    }
    items.append(item)
    estate.record("probe", _subject(mailbox, name, item), None, _shown(item))
    return f"<m:Items><t:Message>{_item_id(item)}</t:Message></m:Items>"


def _delete(estate: Estate, mailbox: Mailbox, request: Element) -> str:
    node = next(request.iter(f"{{{TYPES}}}ItemId"), None)
    wanted = None if node is None else node.get("Id")
    for name, items in mailbox.folders.items():
        for item in items:
            if item["Id"] == wanted:
                items.remove(item)
                estate.record("probe", _subject(mailbox, name, item), _shown(item), None)
                return ""
    raise _EwsError("ErrorItemNotFound", "The specified object was not found in the store.")


def _find(estate: Estate, mailbox: Mailbox, request: Element) -> str:
    _, items = _folder(mailbox, request)
    rows = "".join(
        f"<t:Message>{_item_id(item)}<t:Subject>{escape(item['Subject'])}</t:Subject></t:Message>" for item in items
    )
    return (
        f'<m:RootFolder TotalItemsInView="{len(items)}" IncludesLastItemInRange="true"><t:Items>{rows}</t:Items>'
        "</m:RootFolder>"
    )


def _get_folder(estate: Estate, mailbox: Mailbox, request: Element) -> str:
    name, items = _folder(mailbox, request)
    return (
        f"<m:Folders><t:Folder><t:DisplayName>{name}</t:DisplayName><t:TotalCount>{len(items)}</t:TotalCount>"
        "</t:Folder></m:Folders>"
    )


def _item_id(item: dict[str, Any]) -> str:
    return f"<t:ItemId Id={quoteattr(item['Id'])} ChangeKey={quoteattr(item['Id'][:8])}/>"


def _subject(mailbox: Mailbox, folder: str, item: dict[str, Any]) -> str:
    return f"mailbox:{mailbox.address}/{folder}/{item['Id']}"


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "Created": item["Created"].isoformat()}


def create_item(folder: str, subject: str) -> bytes:
    """A CreateItem request for one message in a folder, named as the storage test names it (`ConversationHistory`)."""
    return envelope(
        '<m:CreateItem MessageDisposition="SaveOnly">'
        f"<m:SavedItemFolderId>{_folder_id(folder)}</m:SavedItemFolderId><m:Items><t:Message>"
        f"<t:ItemClass>IPM.Note.Microsoft.Conversation</t:ItemClass><t:Subject>{escape(subject)}</t:Subject>"
        "</t:Message></m:Items></m:CreateItem>",
        header='<t:RequestServerVersion Version="Exchange2013"/>',
    )


def delete_item(item_id: str) -> bytes:
    """A DeleteItem request that removes one item for good."""
    return envelope(
        f'<m:DeleteItem DeleteType="HardDelete"><m:ItemIds><t:ItemId Id={quoteattr(item_id)}/></m:ItemIds>'
        "</m:DeleteItem>",
        header='<t:RequestServerVersion Version="Exchange2013"/>',
    )


def outcome(body: bytes) -> tuple[str, str, str]:
    """Response code, message text and the first item's id (empty when there is none) of an answer. Raises NotSoap."""
    response = operation(body)
    code = response.findtext(f".//{{{MESSAGES}}}ResponseCode", "")
    text = response.findtext(f".//{{{MESSAGES}}}MessageText", "")
    item = next(response.iter(f"{{{TYPES}}}ItemId"), None)
    return code, text, "" if item is None else item.get("Id", "")


def _folder_id(folder: str) -> str:
    known = next((key for key, value in FOLDERS.items() if value.lower() == folder.lower()), "")
    return f'<t:DistinguishedFolderId Id="{known}"/>'
