export async function demo(_options: { once: boolean; say: (s: string) => void }): Promise<void> {}
