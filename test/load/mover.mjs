const REMEMBERED = 150;

/** People at work: they deploy, and change their minds. What was promised to them stands in the ledger. */
export class Mover {
  environments = [];
  recent = [];
  paused = new Set();

  constructor(client, dice, ledger) {
    Object.assign(this, { client, dice, ledger });
  }

  /** Makes projects with their environments; `whose` tells them from those of another load. */
  async settle(projects, whose) {
    for (let at = 0; at < projects; at += 1) {
      const { body: project } = await this.client.post('/v1/projects', { name: `project ${at} ${whose}` });
      for (const name of ['production', 'preview']) {
        const { body } = await this.client.post('/v1/environments', { project_id: project.id, name });
        this.environments.push({ project_id: project.id, environment_id: body.id });
      }
    }
  }

  /** One thing that people do. */
  move() {
    const weights = {
      deploy: 40,
      cancel: 6,
      redeploy: 5,
      rollback: 6,
      pin: 3,
      unpin: 6,
      pause: 2,
      resume: 3,
      retry: 3,
      explain: 3,
    };
    const verb = this.recent.length < 10 ? 'deploy' : this.dice.weighted(weights);
    return this[verb](this.recent.length > 0 ? this.dice.pick(this.recent) : null);
  }

  /** Takes back what would keep the world from coming to rest. */
  async rest() {
    for (const id of this.paused) await this.client.post(`/v1/deployments/${id}/resume`);
  }

  deploy() {
    const { dice } = this;
    const commit = dice.between(0, 0xffffff).toString(16);
    return this.made('/v1/deployments', { ...dice.pick(this.environments), commit, env: { SEED: commit } });
  }

  redeploy({ id }) {
    return this.made(`/v1/deployments/${id}/redeploy`);
  }

  rollback({ id, environment_id }) {
    const earlier = this.recent.filter((one) => one.environment_id === environment_id);
    return this.made(`/v1/deployments/${id}/rollback`, { to_deployment_id: this.dice.pick(earlier).id });
  }

  cancel({ id }) {
    return this.client.post(`/v1/deployments/${id}/cancel`);
  }

  async pin({ id }) {
    if ((await this.client.post(`/v1/deployments/${id}/pin`)).status === 200) this.ledger.pinned.add(id);
  }

  async unpin() {
    const [id] = this.ledger.pinned;
    if (!id) return;
    await this.client.post(`/v1/deployments/${id}/unpin`);
    this.ledger.pinned.delete(id);
  }

  async pause({ id }) {
    await this.client.post(`/v1/deployments/${id}/pause`);
    this.paused.add(id);
  }

  async resume() {
    const [id] = this.paused;
    if (!id) return;
    await this.client.post(`/v1/deployments/${id}/resume`);
    this.paused.delete(id);
  }

  retry({ id }) {
    return this.client.post(`/v1/deployments/${id}/retry`);
  }

  explain({ id }) {
    return this.client.get(`/v1/deployments/${id}/explain`);
  }

  async made(path, body) {
    const { status, body: deployment } = await this.client.post(path, body);
    if (status !== 201) return;
    this.ledger.made.add(deployment.id);
    this.recent.push(deployment);
    if (this.recent.length > REMEMBERED) this.recent.shift();
  }
}
