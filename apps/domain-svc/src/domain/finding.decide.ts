import type { DomainCheck } from '@homeostat/shared';
import type { TxtAnswer } from './txt-lookup';

/** What is kept of what was seen: enough to recognise a wrong value by, not a page of somebody else's records. */
const mostSeen = 10;
const longestSeen = 255;

/** What a domain's `reason` says while it is checked. */
export type CheckReason = 'Verified' | 'RecordAbsent' | 'RecordDiffers' | 'CouldNotAsk' | 'NameTaken';

/** What a check found, and how it is told to people. */
export interface Finding {
  readonly check: DomainCheck;
  readonly reason: CheckReason;
  readonly message: string;
}

/** Judges an answer: the claim is proven when one record contains the token (spec 1, "Domains"). All records count. */
export function findingOf(answer: TxtAnswer, token: string, recordName: string, now: Date): Finding {
  const at = now.toISOString();
  switch (answer.asked) {
    case 'unasked': {
      const message = `Name servers could not be asked about ${recordName}: ${answer.why}.`;
      return { check: { at, outcome: 'unasked', why: answer.why, seen: [] }, reason: 'CouldNotAsk', message };
    }
    case 'absent': {
      const message = `There is no TXT record at ${recordName} (${answer.why}).`;
      return { check: { at, outcome: 'absent', why: answer.why, seen: [] }, reason: 'RecordAbsent', message };
    }
    case 'answered':
      return compared(answer.records, token, recordName, at);
  }
}

function compared(records: readonly string[], token: string, recordName: string, at: string): Finding {
  const proves = (record: string): boolean => token !== '' && record.includes(token);
  const proof = records.filter(proves);
  if (proof.length > 0) {
    const message = `The TXT record at ${recordName} holds the token.`;
    return { check: { at, outcome: 'match', why: null, seen: seen(proof) }, reason: 'Verified', message };
  }
  const why = `${records.length} TXT ${records.length === 1 ? 'record' : 'records'}, none with the token`;
  const message = `There is another value at ${recordName}: ${why}.`;
  return { check: { at, outcome: 'other', why, seen: seen(records) }, reason: 'RecordDiffers', message };
}

// PostgreSQL's jsonb takes neither NUL nor half a surrogate pair, and anyone may put them into a record.
function seen(records: readonly string[]): string[] {
  return records.slice(0, mostSeen).map((record) => record.slice(0, longestSeen).replace(/[\p{Cc}\p{Cs}]/gu, '\ufffd'));
}
