/** What the demo reads of any resource. */
export interface Seen {
  readonly id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly message: string | null;
}

/** Calls the API as anybody would. Throws with the problem's words. */
export class Client {
  constructor(readonly url: string) {}

  get<T>(path: string): Promise<T> {
    return this.call<T>(path, {});
  }

  post<T = Seen>(path: string, body: object = {}): Promise<T> {
    return this.call<T>(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async list<T = Seen>(path: string): Promise<T[]> {
    return (await this.get<{ items: T[] }>(path)).items;
  }

  private async call<T>(path: string, init: RequestInit): Promise<T> {
    const answer = await fetch(this.url + path, init);
    const body = (await answer.json()) as T & { title?: string; detail?: string };
    if (!answer.ok) throw new Error(`${init.method ?? 'GET'} ${path}: ${body.title}: ${body.detail}`);
    return body;
  }
}
