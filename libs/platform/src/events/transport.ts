import type { HouseEvent } from '@homeostat/shared';
import type { CustomTransportStrategy } from '@nestjs/microservices';

/** The way of events between services: Nest's server half brings them to handlers, the other half sends them off. */
export interface Transport extends CustomTransportStrategy {
  /** Returns the ids of the events that arrived safely; the others are sent again later. */
  publish(events: readonly HouseEvent[]): Promise<readonly string[]>;
  /** Why nothing can be sent now, in a sentence; null when events can be. */
  readonly away: string | null;
  /** Has this called whenever events can be sent again. */
  onceBack(run: () => void): void;
  /** Ends the sending half, after Nest has closed the other one. */
  disconnect(): Promise<void>;
}
