import { createHash } from 'node:crypto';
import type { Database } from '@homeostat/platform';
import type { OnApplicationShutdown } from '@nestjs/common';
import { type Container, DockerEngine } from './docker.engine';
import { DockerImages } from './docker.images';
import type { MachineState, Machines, Workload } from './machines.port';

export interface DockerPlace {
  readonly socket: string;
  /** The Docker network that all machines are on. What is on another one is another fleet's. */
  readonly network: string;
  readonly subnet: string;
  /** What an empty machine runs. */
  readonly image: string;
}

/** A machine's containers: the one of its workload takes the place, and the address, of the empty one. */
interface Found {
  readonly empty: Container | null;
  readonly workload: Container | null;
}

const nothing: Found = { empty: null, workload: null };
/** What a container is whose process somebody ended, or froze. */
const ended: ReadonlySet<string> = new Set(['exited', 'dead', 'paused']);
/** How long a workload may take to end by itself. */
const STOP_SECONDS = 10;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What no container may do: gain rights, forge another's address, take all processes, fill the disk with its log. */
const bounds = {
  SecurityOpt: ['no-new-privileges:true'],
  CapDrop: ['NET_RAW'],
  PidsLimit: 4_096,
  LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
};

/** Machines that are containers of a Docker engine. They are known by their names; nothing is remembered here. */
export class DockerMachines implements Machines, OnApplicationShutdown {
  readonly atOnce = 20;
  private readonly engine: DockerEngine;
  private readonly images: DockerImages;

  constructor(
    database: Pick<Database, 'query'>,
    private readonly place: DockerPlace,
  ) {
    this.engine = new DockerEngine(place.socket);
    this.images = new DockerImages(this.engine, database);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.engine.close();
  }

  async create(vmId: string, region: string, address: string, signal: AbortSignal): Promise<MachineState> {
    const found = await this.find(vmId, signal);
    if (found.workload) return stateOf(found);
    const { empty: name } = this.namesOf(vmId);
    if (!found.empty) {
      if (!(await this.images.has(this.place.image, signal))) return 'booting';
      await this.ensureNetwork(signal);
      await this.make(name, { vm: vmId, region, address }, { Image: this.place.image }, signal);
    }
    await this.engine.start(name, signal);
    return this.observe(vmId, signal);
  }

  /** The container of the workload is made first, so that the machine stays as it is where that fails. */
  async start(vmId: string, workload: Workload, signal: AbortSignal): Promise<MachineState> {
    const found = await this.find(vmId, signal);
    if (!found.empty) return stateOf(found);
    const names = this.namesOf(vmId);
    const mark = createHash('sha256').update(JSON.stringify(workload)).digest('hex');
    const isRight = ({ workload: one }: Found): boolean => one?.labels['homeostat.workload'] === mark;
    if (!isRight(found)) {
      // What an order that came late has left behind.
      await this.engine.remove(names.workload, signal);
      const Image = await this.images.nameOf(workload.imageId);
      if (!(await this.images.has(Image, signal))) return 'booting';
      const address = found.empty.labels['homeostat.address']!;
      await this.make(names.workload, { vm: vmId, address, workload: mark }, { Image, Env: envOf(workload) }, signal);
    }
    await this.engine.stop(names.empty, 0, signal);
    await this.engine.start(names.workload, signal);
    const now = await this.find(vmId, signal);
    return isRight(now) ? stateOf(now) : 'booting';
  }

  async scrub(vmId: string, signal: AbortSignal): Promise<MachineState> {
    const names = this.namesOf(vmId);
    await this.engine.stop(names.workload, STOP_SECONDS, signal);
    await this.engine.remove(names.workload, signal);
    await this.engine.stop(names.empty, 0, signal);
    return this.observe(vmId, signal);
  }

  async remove(vmId: string, signal: AbortSignal): Promise<MachineState> {
    const names = this.namesOf(vmId);
    await this.engine.remove(names.workload, signal);
    await this.engine.remove(names.empty, signal);
    return this.observe(vmId, signal);
  }

  async observe(vmId: string, signal: AbortSignal): Promise<MachineState> {
    return stateOf(await this.find(vmId, signal));
  }

  /** Docker lists all or none. */
  async list(after: string | null, limit: number, signal: AbortSignal): Promise<ReadonlyMap<string, MachineState>> {
    const machines = new Map<string, Found>();
    for (const container of await this.engine.labelled(`homeostat.network=${this.place.network}`, signal)) {
      const id = container.labels['homeostat.vm'] ?? '';
      if (!UUID.test(id) || (after !== null && id <= after)) continue;
      const role = 'homeostat.workload' in container.labels ? 'workload' : 'empty';
      machines.set(id, { ...(machines.get(id) ?? nothing), [role]: container });
    }
    const page = [...machines.keys()].toSorted().slice(0, limit);
    return new Map(page.map((id) => [id, stateOf(machines.get(id)!)]));
  }

  private namesOf(vmId: string): Record<keyof Found, string> {
    const empty = `${this.place.network}-${vmId}`;
    return { empty, workload: `${empty}-workload` };
  }

  private async find(vmId: string, signal: AbortSignal): Promise<Found> {
    const names = this.namesOf(vmId);
    const [empty, workload] = await Promise.all([
      this.engine.container(names.empty, signal),
      this.engine.container(names.workload, signal),
    ]);
    return { empty, workload };
  }

  private make(name: string, about: Record<string, string>, what: object, signal: AbortSignal): Promise<void> {
    const { network } = this.place;
    const labels = Object.entries({ network, ...about }).map(([key, value]) => [`homeostat.${key}`, value]);
    const endpoint = { IPAMConfig: { IPv4Address: about['address'] } };
    const body = {
      ...what,
      Labels: Object.fromEntries(labels) as object,
      HostConfig: { NetworkMode: network, RestartPolicy: { Name: 'unless-stopped' }, ...bounds },
      NetworkingConfig: { EndpointsConfig: { [network]: endpoint } },
    };
    return this.engine.make(name, body, signal);
  }

  /** One on which machines reach the world, and not each other. */
  private ensureNetwork(signal: AbortSignal): Promise<void> {
    const { network, subnet } = this.place;
    const Options = { 'com.docker.network.bridge.enable_icc': 'false' };
    return this.engine.ensureNetwork(network, { Options, IPAM: { Config: [{ Subnet: subnet }] } }, signal);
  }
}

function stateOf({ empty, workload }: Found): MachineState {
  if (workload?.status === 'running') return 'running';
  // What ends by itself is restarted by Docker. While the empty one is up, a start was broken off.
  if (workload && ended.has(workload.status) && empty?.status !== 'running') return 'halted';
  if (workload) return 'booting';
  if (empty?.status === 'restarting') return 'booting';
  if (empty) return empty.status === 'running' ? 'up' : 'stopped';
  return 'absent';
}

/** The workload learns where it shall listen, unless it is told something else. */
function envOf({ port, env }: Workload): string[] {
  return Object.entries({ PORT: String(port), ...env }).map((pair) => pair.join('='));
}
