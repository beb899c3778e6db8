const names = ['shop.example', 'news.example', 'mail.example', 'chat.example', 'maps.example'];

/** Somebody who claims domains that others claim, too; the record is right, wrong or not to be had, and may change. */
export class Registrant {
  /** The domains that this tenant has, by id. */
  domains = new Map();

  constructor(client, dice, dns) {
    Object.assign(this, { client, dice, dns });
  }

  move() {
    const verb = this.dice.weighted({ claim: 3, record: 6, check: 2, restart: 2, remove: 1 });
    if (verb === 'claim' || this.domains.size === 0) return this.claim();
    return this[verb](this.dice.pick([...this.domains.values()]));
  }

  async claim() {
    const { status, body } = await this.client.post('/v1/domains', { name: this.dice.pick(names) });
    if (status === 201) this.domains.set(body.id, body);
  }

  record({ record }) {
    const right = { txt: [[record.value]] };
    this.dns.set(
      record.name,
      this.dice.pick([right, right, right, 'nxdomain', 'servfail', 'silent', { txt: [['no token']] }]),
    );
  }

  check({ id }) {
    return this.client.post(`/v1/domains/${id}/check`);
  }

  restart({ id }) {
    return this.client.post(`/v1/domains/${id}/restart`);
  }

  async remove({ id }) {
    await this.client.remove(`/v1/domains/${id}`);
    this.domains.delete(id);
  }
}
