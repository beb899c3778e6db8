import { Looks } from '@homeostat/platform';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';

/** What others did that deployments should look at now; what there is to do, they see for themselves. */
@Controller()
export class DeployEvents {
  constructor(private readonly looks: Looks) {}

  @EventPattern(['vm.assigned', 'vm.running', 'vm.lost'])
  aboutVm(): void {
    this.looks.nudge('deployments');
  }
}
