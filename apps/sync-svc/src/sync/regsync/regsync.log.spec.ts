import { regsyncNews } from './regsync.log';

const cid = 'baeareig77vqcdozl2wyk6z3cscaj5q5fggi53aoh64fewkdiri3cdauyn4';
const line = (told: object) => JSON.stringify({ time: '2026-03-01T12:00:00Z', ...told });

describe('the log of regsync', () => {
  it.each([
    ['source', 'target'],
    ['src', 'tgt'],
  ])('tells in %s and %s which record is begun', (source, target) => {
    const told = { level: 'INFO', msg: 'Image sync needed', [source]: `a/dir:${cid}`, [target]: `b/dir:${cid}` };
    expect(regsyncNews(line(told))).toEqual({ tells: 'copying', cid });
  });

  it('tells which record is brought up to date by its digest', () => {
    const told = { level: 'INFO', msg: 'Image refreshing', source: 'a/dir@sha256:00', target: `b/dir:${cid}` };
    expect(regsyncNews(line(told))).toEqual({ tells: 'copying', cid });
  });

  it.each(['error', 'err'])('tells what went wrong, in %s', (error) => {
    const told = { level: 'ERROR', msg: 'Failed to copy', target: `b/dir:${cid}`, [error]: 'no such blob' };
    expect(regsyncNews(line(told))).toEqual({ tells: 'fault', cid, message: 'Failed to copy: no such blob' });
    const general = { level: 'ERROR', msg: 'Failed', source: 'a/dir:latest' };
    expect(regsyncNews(line(general))).toEqual({ tells: 'fault', cid: null, message: 'Failed' });
  });

  it('is cut where it tells too much', () => {
    const news = regsyncNews(line({ level: 'ERROR', msg: 'a'.repeat(10_000) }));
    expect(news).toMatchObject({ message: 'a'.repeat(300) });
  });

  it.each(['', '    pass: swordfish', 'null', '1', '[]', '{"level":"INFO","msg":"Copy layer"}', '{'])(
    'tells nothing in %j',
    (text) => expect(regsyncNews(text)).toBeNull(),
  );
});
