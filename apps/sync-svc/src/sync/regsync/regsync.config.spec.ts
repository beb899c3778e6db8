import { parse } from 'yaml';
import { regsyncConfig } from './regsync.config';

const host = { registry: 'registry.test:443', tls: 'enabled' } as const;
const cid = 'baeareig77vqcdozl2wyk6z3cscaj5q5fggi53aoh64fewkdiri3cdauyn4';
const read = (text: string) => parse(text) as Record<string, never>;

describe('the configuration of regsync', () => {
  it('is YAML, and names exactly the tags that are wanted', () => {
    const config = regsyncConfig([host], [{ source: 'a:1/dir', target: 'b:1/dir', tags: [cid, 'a.b+c'] }]);
    expect(read(config)).toEqual({
      version: 1,
      creds: [host],
      defaults: { skipDockerConfig: true, parallel: 4 },
      sync: [
        {
          ...{ source: 'a:1/dir', target: 'b:1/dir', type: 'repository', referrers: true },
          tags: { allow: [`^${cid}$`, '^a\\.b\\+c$'] },
        },
      ],
    });
  });

  it('copies one by its digest, with what is attached', () => {
    const entry = { source: 'a:1/dir@sha256:00', target: `b:1/dir:${cid}` };
    expect(read(regsyncConfig([host], [entry])).sync).toEqual([
      { ...entry, type: 'image', referrers: true, forceRecursive: true },
    ]);
  });

  it('is never made for no tags, which would be all of them', () => {
    expect(() => regsyncConfig([host], [{ source: 'a', target: 'b', tags: [] }])).toThrow('a copy of all');
  });

  it.each(['{{env "HOME"}}', '{{{{', 'a {{file "/etc/passwd"}} b'])('has no template in it for %j', (pass) => {
    const { creds } = read(regsyncConfig([{ ...host, user: pass, pass }], [])) as unknown as {
      creds: { pass: string }[];
    };
    const rendered = creds[0]!.pass.replaceAll('{{"{{"}}', '\0').replaceAll('\0', '{{');
    expect(creds[0]!.pass.replaceAll('{{"{{"}}', '')).not.toContain('{{');
    expect(rendered).toBe(pass);
  });

  it('keeps every character of a password', () => {
    const pass = ` '"\\@:#&*!|>%\n\t\u007f\u0085\u2028\ufeff\u{1f511}-`;
    const { creds } = read(regsyncConfig([{ ...host, pass }], [])) as unknown as { creds: { pass: string }[] };
    expect(creds[0]!.pass).toBe(pass);
  });
});
