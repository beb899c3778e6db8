import { Looks } from '@homeostat/platform';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';

/** What others did that the pool should look at now; what there is to do, it sees for itself. */
@Controller()
export class VmPoolEvents {
  constructor(private readonly looks: Looks) {}

  @EventPattern('vm.claimed')
  claimed(): void {
    this.looks.nudge('pool');
  }

  @EventPattern('vm.released')
  released(): void {
    this.looks.nudge('vms');
  }
}
