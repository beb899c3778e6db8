"""Changes one Iceberg table with pyiceberg, a step per line of input, and prints what pyiceberg itself reads of it then."""
import datetime as dt
import decimal
import json
import math
import sys

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import load_catalog
from pyiceberg.conversions import from_bytes
from pyiceberg.schema import index_by_id
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import IntegerType, LongType, StringType, TimestampType

kind, uri, s3 = sys.argv[1:]
keys = {"access-key-id": "suite", "secret-access-key": "suite-secret", "region": "us-east-1"}
catalog = load_catalog(
    kind,
    type=kind,
    uri=uri,
    **{"glue.endpoint": uri, "s3.endpoint": s3},
    **{f"{service}.{name}": value for service in ("s3", "glue") for name, value in keys.items()},
)
name = "living.orders"


def text(value):
    """The text of a value, as the catalog spells it; floats are compared as numbers."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + ("Z" if value.tzinfo else "")
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def rows(start, count):
    each = range(start, start + count)
    return {
        "id": pa.array(each, pa.int32()),
        "city": pa.array([None if i % 5 == 4 else f"town number {i % 3} of many" for i in each]),
        "price": pa.array([None if i % 7 == 6 else i / 7 for i in each], pa.float64()),
        "amount": pa.array([decimal.Decimal(i * 101).scaleb(-2) for i in each], pa.decimal128(12, 2)),
        "at": pa.array([dt.datetime(2026, 1, 1 + i % 3, 12, 0, 0, i) for i in each], pa.timestamp("us")),
        "region": pa.array(["eu" if i % 2 else "us" for i in each]),
    }


def now():
    return catalog.load_table(name)


def append(start, count, **more):
    given = rows(start, count)
    given = {"town": given["city"], "note": pa.nulls(count), **given, **more}
    columns = now().schema().as_arrow()
    now().append(pa.table([given[field.name].cast(field.type) for field in columns], schema=columns))


def create():
    catalog.create_namespace_if_not_exists("living")
    columns = pa.table(rows(0, 1)).schema
    table = catalog.create_table(name, schema=columns, location=f"s3://warehouse/{kind}/orders")
    with table.update_spec() as spec:
        spec.add_field("region", IdentityTransform(), "region")
    append(0, 20)


def evolve():
    with now().update_schema() as schema:
        schema.rename_column("city", "town")
        schema.update_column("id", LongType())
        schema.add_column("note", StringType())
        schema.delete_column("amount")
    append(40, 3, id=pa.array([9007199254740993, 9007199254740995, -1], pa.int64()), note=pa.array(["a", None, "c"]))


def respec():
    with now().update_spec() as spec:
        spec.add_field("at", DayTransform(), "at_day")
    now().append(now().scan(limit=3).to_arrow())


def branch():
    table = now()
    first, current = table.snapshots()[0], table.current_snapshot()
    table.manage_snapshots().create_branch(current.snapshot_id, "audit").create_tag(first.snapshot_id, "first").commit()


def roll_back():
    snapshot = now().snapshot_by_id(now().current_snapshot().parent_snapshot_id)
    now().manage_snapshots().rollback_to_snapshot(snapshot.snapshot_id).commit()


def expire():
    kept = {ref.snapshot_id for ref in now().metadata.refs.values()}
    gone = next(one for one in now().snapshots() if one.snapshot_id not in kept)
    now().maintenance.expire_snapshots().by_id(gone.snapshot_id).commit()


steps = {
    "create": create,
    "append": lambda: append(20, 10),
    "delete": lambda: now().delete("id < 3"),
    "evolve": evolve,
    "change the partition spec": respec,
    "branch": branch,
    "roll back": roll_back,
    "compact": lambda: now().overwrite(now().scan().to_arrow()),
    "expire": expire,
}


def file(table, fields, one):
    def bound(id, bounds):
        if id not in (bounds or {}):
            return None
        # Files from before a column became wider have its bounds as they were.
        narrow = isinstance(fields[id].field_type, LongType) and len(bounds[id]) == 4
        value = from_bytes(IntegerType() if narrow else fields[id].field_type, bounds[id])
        is_time = isinstance(fields[id].field_type, TimestampType)
        return text(dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=value) if is_time else value)

    count = lambda id, counts: text((counts or {}).get(id))
    columns = [
        {
            "field_id": id,
            "value_count": count(id, one.value_counts),
            "null_count": count(id, one.null_value_counts),
            "nan_count": count(id, one.nan_value_counts),
            "min": bound(id, one.lower_bounds),
            "max": bound(id, one.upper_bounds),
        }
        for id in sorted(one.value_counts)
        if id in fields
    ]
    partition = table.specs()[one.spec_id].fields
    return {
        "path": one.file_path,
        "content": one.content.name.lower(),
        "format": one.file_format.value,
        "record_count": str(one.record_count),
        "bytes": str(one.file_size_in_bytes),
        "spec_id": one.spec_id,
        "partition": {field.name: text(one.partition[at]) for at, field in enumerate(partition)},
        "columns": columns,
    }


def column(data, field):
    values = data.column(field.name)
    ends = pc.min_max(values).as_py() if len(values) > values.null_count else {"min": None, "max": None}
    return {"field_id": field.field_id, "null_count": str(values.null_count), **{k: text(v) for k, v in ends.items()}}


def snapshot(table, one):
    schema = table.schemas()[one.schema_id]
    fields = index_by_id(schema)
    data = table.scan(snapshot_id=one.snapshot_id).to_arrow()
    manifests = [manifest.fetch_manifest_entry(table.io) for manifest in one.manifests(table.io)]
    files = [entry.data_file for entries in manifests for entry in entries]
    return {
        "snapshot_id": str(one.snapshot_id),
        # Some catalogs forget an expired parent, others go on naming it.
        "parent_snapshot_id": text(one.parent_snapshot_id) if table.snapshot_by_id(one.parent_snapshot_id) else None,
        "sequence_number": str(one.sequence_number),
        "timestamp_ms": str(one.timestamp_ms),
        "operation": one.summary.operation.value,
        "schema_id": one.schema_id,
        "rows": str(data.num_rows),
        "files": sorted((file(table, fields, each) for each in files), key=lambda each: each["path"]),
        "columns": [column(data, field) for field in table.scan(snapshot_id=one.snapshot_id).projection().fields],
    }


def answer():
    table = now()
    spec = table.spec()
    return {
        "metadata_location": table.metadata_location,
        "table_uuid": str(table.metadata.table_uuid),
        "current_snapshot_id": str(table.current_snapshot().snapshot_id),
        "refs": sorted((ref, one.snapshot_ref_type.value, str(one.snapshot_id)) for ref, one in table.metadata.refs.items()),
        "columns": [[field.field_id, field.name, str(field.field_type)] for field in table.schema().fields],
        "partition": [[field.name, str(field.transform), field.source_id] for field in spec.fields],
        "snapshots": [snapshot(table, one) for one in table.snapshots()],
    }


for line in sys.stdin:
    steps[line.strip()]()
    print(json.dumps(answer()), flush=True)
