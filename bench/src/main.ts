import { deployments } from './deployments.bench';
const say = (line: string): void => void process.stderr.write(`${line}\n`);
void deployments.run({ count: Number(process.argv[3] ?? 10000), set: {}, profileDir: process.argv[4], progress: say, say }).then((m) => console.log(m));
