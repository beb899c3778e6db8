"""Changes one Delta table with delta-rs, a step per line of input, and prints what delta-rs itself reads of it then."""
import datetime as dt
import json
import sys

import boto3
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

root, s3, glue = sys.argv[1:]
storage = {
    "AWS_ENDPOINT_URL": s3,
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "suite",
    "AWS_SECRET_ACCESS_KEY": "suite-secret",
}


def text(value):
    return None if value is None else str(value)


def rows(start, count, **more):
    each = range(start, start + count)
    return pa.table(
        {
            "id": pa.array(each, pa.int64()),
            "city": pa.array([None if i % 5 == 4 else f"town number {i % 3} of many" for i in each]),
            "price": pa.array([None if i % 7 == 6 else i / 7 for i in each], pa.float64()),
            "day": pa.array([dt.date(2026, 1, 1 + i % 3) for i in each]),
            "region": pa.array(["eu" if i % 2 else "u s/%" for i in each]),
            **more,
        }
    )


def write(data, **how):
    write_deltalake(root, data, partition_by=["region"], storage_options=storage, **{"mode": "append", **how})


def table(version=None):
    return DeltaTable(root, version=version, storage_options=storage)


def create():
    write(rows(0, 20))
    if not glue:
        return
    client = boto3.client("glue", endpoint_url=s3, region_name="us-east-1")
    provider = {"spark.sql.sources.provider": "delta"}
    place = {"Location": root}
    client.create_table(DatabaseName="living", TableInput={"Name": glue, "Parameters": provider, "StorageDescriptor": place})


steps = {
    "create": create,
    "append": lambda: write(rows(20, 10)),
    "delete": lambda: table().delete("id < 3"),
    "evolve": lambda: write(rows(40, 3, note=pa.array(["a", None, "c"])), schema_mode="merge"),
    "roll back": lambda: table().restore(1),
    "compact": lambda: table().optimize.compact(),
    "checkpoint": lambda: (write(rows(9007199254740993, 2)), table().create_checkpoint()),
    "vacuum": lambda: table().vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False),
    "overwrite": lambda: write(rows(100, 5), mode="overwrite"),
}


def file(one):
    names = sorted({key.split(".", 1)[1] for key in one if key.startswith("null_count.")} - {"region"})
    columns = [
        {
            "path": [name],
            "null_count": text(one[f"null_count.{name}"]),
            "min": text(one.get(f"min.{name}")),
            "max": text(one.get(f"max.{name}")),
        }
        for name in names
        if one[f"null_count.{name}"] is not None
    ]
    return {
        "path": one["path"],
        "bytes": str(one["size_bytes"]),
        "record_count": text(one["num_records"]),
        "partition": {"region": one["partition.region"]},
        "columns": columns,
    }


def column(data, name):
    values = data.column(name)
    ends = pc.min_max(values).as_py() if len(values) > values.null_count else {"min": None, "max": None}
    return {"path": [name], "null_count": str(values.null_count), **{k: text(v) for k, v in ends.items()}}


def version(at, history):
    one = table(at)
    adds = pa.table(one.get_add_actions(flatten=True)).to_pylist()
    # The files of old versions are gone once they were vacuumed.
    try:
        data = one.to_pyarrow_table()
    except Exception:
        data = None
    return {
        "snapshot_id": str(at),
        "timestamp_ms": str(history[at]["timestamp"]),
        "operation": history[at]["operation"],
        "rows": data and str(data.num_rows),
        "files": sorted(map(file, adds), key=lambda each: each["path"]),
        "columns": data and [column(data, name) for name in data.column_names if name != "region"],
    }


def answer():
    one = table()
    history = {entry["version"]: entry for entry in one.history()}
    return {
        "table_uuid": str(one.metadata().id),
        "current_snapshot_id": str(one.version()),
        "columns": [field.name for field in one.schema().fields],
        "partition": one.metadata().partition_columns,
        "snapshots": [version(at, history) for at in sorted(history)],
    }


for line in sys.stdin:
    steps[line.strip()]()
    print(json.dumps(answer()), flush=True)
