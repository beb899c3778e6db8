const image = () => ({ image: { registry: 'registry.test', repository: 'shop' } });
const done = (status) => status === 200;

/** A builder of the kind that one has to reckon with: takes builds, forgets some, fails some, reports some twice. */
export class Builder {
  constructor(client, dice, ledger, name) {
    Object.assign(this, { client, dice, ledger, name });
  }

  /** Works on one of the builds that are queued. */
  async work() {
    const { items } = await this.client.get('/v1/builds?status=queued&limit=50');
    if (items.length > 0) await this.build(this.dice.pick(items).id);
  }

  /** Brings every build to its end; true when there was none left. */
  async finish() {
    const lists = ['queued', 'initializing', 'building'].map((status) =>
      this.client.get(`/v1/builds?status=${status}&limit=500`),
    );
    const open = (await Promise.all(lists)).flatMap(({ items }) => items);
    for (const { id } of open) await this.ready(id);
    return open.length === 0;
  }

  async build(id) {
    const { dice } = this;
    if (dice.chance(0.2)) await this.report(id, 'take', { builder: this.name });
    if (dice.chance(0.9)) await this.report(id, 'start', { builder: this.name });
    if (dice.chance(0.3)) await this.report(id, 'heartbeat');
    if (dice.chance(0.1)) return;
    if (dice.chance(0.1)) await this.report(id, 'error', { message: 'it does not compile' });
    else await this.ready(id);
    if (dice.chance(0.1)) await this.report(id, 'error', { message: 'a report that comes too late' });
  }

  async ready(id) {
    if (done(await this.report(id, 'ready', image()))) this.ledger.built.add(id);
  }

  async report(id, verb, body) {
    return (await this.client.post(`/v1/builds/${id}/${verb}`, body)).status;
  }
}
