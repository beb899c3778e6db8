import { deployments } from './deployments.bench';
import { one } from './one.bench';
import { idle } from './idle.bench';
const b = {deployments, one, idle}[process.argv[2] as 'one'];
const say = (line: string): void => void process.stderr.write(`${line}\n`);
void b.run({ count: Number(process.argv[3] ?? b.count), set: {}, profileDir: process.argv[4], progress: say, say }).then((m) => console.log(m));
