import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(__dirname, '../..');

it('lists what is shipped, and where nothing of it was fetched from', async () => {
  const sbom = ['run', '--silent', 'sbom'];
  const { stdout } = await promisify(execFile)('npm', sbom, { cwd: root, maxBuffer: 16_000_000 });
  const { bomFormat, components } = JSON.parse(stdout) as { bomFormat: string; components: { name: string }[] };
  const names = components.map(({ name }) => name);
  expect(bomFormat).toBe('CycloneDX');
  expect(names).toEqual(expect.arrayContaining(['pg', 'jose', 'zod', 'amqplib']));
  expect(names).not.toContain('jest');
  expect(stdout).not.toMatch(/registry|artifact|\/\/[^/"]*:\d+\//i);
}, 60_000);
