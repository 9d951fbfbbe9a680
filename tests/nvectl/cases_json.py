# SPDX-License-Identifier: Apache-2.0
"""What programs read."""

from harness import *  # noqa: F403 - every case uses most of it


@test
def status_in_json_has_the_protos_names_and_text_for_bytes(far):
    got = ok("status", "-o", "json").json
    same(set(got), {f.name for f in NVE.Status.DESCRIPTOR.fields})
    same((got["local_vtep"], got["started_unix_ns"]), ("192.0.2.1", 1700000000123456789))
    same(got["pools"], [{"name": "tsi", "used": 3, "max": 65536}])


@test
def every_list_in_json_is_one_array_of_the_protos_entries(far):
    entries = {("port",): ("Port", 2), ("vn",): ("Vap", 1), ("tsi",): ("Tsi", 2),
               ("drops",): ("Drop", 2),
               ("answers",): ("Answered", 2), ("table",): ("Pool", 2), ("table", "fdb"): ("Row", 2)}
    for args, (kind, n) in entries.items():
        got = ok(*args, "--output=json").json
        fields = {f.name for f in NVE.DESCRIPTOR.message_types_by_name[kind].fields}
        same((len(got), set(got[0])), (n, fields))


@test
def a_tsi_in_json_is_read_without_knowing_bytes(far):
    got = ok("tsi", "show", TSI, "-o", "json").json[0]
    same(got["key"], {"tsi_id": TSI, "port": "p1", "vn": {"id": 100}})
    same(got["addresses"],
         [{"address": {"mac": "02:00:00:00:00:01", "ip": "10.0.0.1"}, "active": True},
          {"address": {"mac": "", "ip": "2001:db8::1"}, "active": False}])
    same((got["state"], got["cause"]), ("TSI_STATE_ACTIVATED", "CAUSE_CREATE"))
    same(got["statistics"]["drops"][0], {"reason": "SRC_MAC", "text": "spoofed", "frames": 2})


@test
def rows_of_a_table_are_objects_inside_the_document(far):
    same(ok("table", "fdb", "-o", "json").json,
         [{"key": {"vni": 5000, "mac": "02:00:00:00:00:01"}, "value": {"tsi": 3}},
          {"key": "not json", "value": '{"broken"'}])


@test
def replies_in_json_are_the_protos_replies(far):
    same(ok("vn", "connect", "p1", "100", "-o", "json").json,
         {"vn_id": 100, "vn_name": "blue", "tag": 10, "mtu": 1450, "ignored_parameters": []})
    same(ok("tsi", "activate", TSI, *KEY, "-o", "json").json,
         {"state": "TSI_STATE_ACTIVATED", "vn_id": 100, "tag": 10, "keepalive_ms": 300000,
          "keepactive_ms": 30000, "epoch": 7, "unchanged": False, "mtu": 1450,
          "ignored_parameters": []})
    same(ok("tsi", "clear", TSI, "-p", "p1", "-o", "json").json["cleared"], 1)
    same(ok("tsi", "keepalive", TSI, *KEY, "-o", "json").json, {"failures": []})
    same(ok("vn", "disconnect", "p1", "1", "-o", "json").json["cleared"], 2)


@test
def json_survives_any_name(far):
    name = 'a"b\\c\n\t\x01\u00e4\U0001f600\u2028'
    far.answers["ListPorts"] = [NVE.ListPortsReply(ports=[NVE.Port(name=name)])]
    same(ok("port", "-o", "json").json[0]["name"], name)


@test
def ten_thousand_tsis_are_one_document(far):
    far.answers["ListTsis"] = [NVE.ListTsisReply(tsis=[
        tsi_entry(key=key(str(uuid.UUID(int=256 * p + i + 1)))) for i in range(256)])
        for p in range(40)]
    got = ok("tsi", "-o", "json").json
    same(len({t["key"]["tsi_id"] for t in got}), 40 * 256)
    same(len(ok("tsi").lines), 40 * 256 + 1)
