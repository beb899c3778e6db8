import { Looks } from '@homeostat/platform';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';

/** What became of records that names should be looked at for; which ones, the looks that were asked for say. */
@Controller()
export class NameEvents {
  constructor(private readonly looks: Looks) {}

  @EventPattern(['record.indexed', 'record.signed', 'record.quarantined', 'record.removed'])
  changed(): void {
    this.looks.nudge('name-verifications');
  }
}
