import { defineService } from '@homeostat/platform';
import { BuildController } from './build/build.controller';
import { BuildReconciler } from './build/build.reconciler';
import { deploySettings } from './deploy.config';
import { DeployEvents } from './deploy.events';
import { DeploymentController } from './deployment/deployment.controller';
import { DeploymentReconciler } from './deployment/deployment.reconciler';
import { EnvironmentController } from './environment/environment.controller';
import { ImageController } from './image/image.controller';
import { ProjectController } from './project/project.controller';

/** Projects, environments, deployments, builds and images. */
export const deployService = defineService({
  name: 'deploy-svc',
  role: 'homeostat_deploy',
  port: 7082,
  settings: deploySettings,
  controllers: [
    ProjectController,
    EnvironmentController,
    DeploymentController,
    BuildController,
    ImageController,
    DeployEvents,
  ],
  reconcilers: [DeploymentReconciler, BuildReconciler],
});
