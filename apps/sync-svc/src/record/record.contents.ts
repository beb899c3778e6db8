import { Database } from '@homeostat/platform';
import { Injectable } from '@nestjs/common';

interface Waiting {
  readonly id: string;
  readonly text: string;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Keeps the texts of records, many by one statement: whatever has come in while the statement before was under way. A
 * text is named by its digest, so writing it twice, or for a look that is repeated, changes nothing; and memory holds no
 * more of them than there are pulls under way, however long the commit of their looks may take.
 */
@Injectable()
export class Contents {
  private waiting: Waiting[] = [];
  private writing = false;

  constructor(private readonly database: Database) {}

  /** Returns when the text is written; that of a record which is gone is not. */
  keep(id: string, text: string): Promise<void> {
    return new Promise((done, failed) => {
      this.waiting.push({ id, text, done, failed });
      if (!this.writing) void this.write();
    });
  }

  private async write(): Promise<void> {
    this.writing = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      await this.database.query(insert, [batch.map(({ id }) => id), batch.map(({ text }) => text)]).then(
        () => batch.forEach(({ done }) => done()),
        (error: unknown) => batch.forEach(({ failed }) => failed(error)),
      );
    }
    this.writing = false;
  }
}

/** No fsync: the look that counts on it is committed later, with one, and the log is written in order. */
const insert = `
  WITH swift AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
  INSERT INTO record_content (id, content)
  SELECT n.id, n.content::json FROM swift, unnest($1::uuid[], $2::text[]) AS n (id, content)
  WHERE EXISTS (SELECT FROM record r WHERE r.id = n.id) ON CONFLICT (id) DO NOTHING`;
